# The flake's outputs with a nixpkgs of stubs: names, programs and the package's description.
let
  lib = import ./lib.nix // {
    nixosSystem = _: { config.system.build.toplevel = derivationNamed "toplevel"; };
  };

  derivationNamed = name: {
    type = "derivation";
    inherit name;
    outPath = "/${name}";
  };

  rustPlatform.buildRustPackage = arguments: arguments // derivationNamed arguments.pname;

  pkgsFor =
    system:
    lib.genAttrs [ "clippy" "jq" "nixfmt" "rustfmt" "shellcheck" ] derivationNamed
    // {
      callPackage =
        file: _:
        import file {
          inherit lib rustPlatform;
          git = "/git";
          openssh = "/openssh";
          stdenv = {
            buildPlatform.canExecute = _: true;
            hostPlatform = { };
          };
          zstd = "/zstd";
        };
      mkShell = _: derivationNamed "shell";
      runCommand =
        name: _: _:
        derivationNamed name;
      nixfmt-tree.override = _: derivationNamed "nixfmt-tree";
      testers.runNixOSTest = test: derivationNamed test.name;
      writeText = name: _: derivationNamed name;
      stdenv.hostPlatform = { inherit system; };
    };

  nixpkgs = {
    inherit lib;
    legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] pkgsFor;
  };

  flake = import ../../flake.nix;
  outputs = flake.outputs {
    self = outputs // {
      outPath = ../..;
    };
    inherit nixpkgs;
  };

  perSystem = f: builtins.mapAttrs (_: builtins.mapAttrs (_: f));
  overlaid = outputs.overlays.default (pkgsFor "x86_64-linux") { };
in
{
  inputs = builtins.attrNames flake.inputs;
  outputs = builtins.attrNames outputs;
  packages = perSystem (package: {
    inherit (package) pname version meta;
    lockExists = builtins.pathExists package.cargoLock.lockFile;
  }) outputs.packages;
  apps = perSystem (app: { inherit (app) type program; }) outputs.apps;
  checks = perSystem (check: check.type) outputs.checks;
  devShells = perSystem (shell: shell.type) outputs.devShells;
  formatter = builtins.mapAttrs (_: package: package.name) outputs.formatter;
  overlay = builtins.mapAttrs (_: package: package.pname) overlaid;
  nixosModules = builtins.mapAttrs (_: module: map toString module.imports) outputs.nixosModules;
  homeModules = builtins.mapAttrs (_: module: map toString module.imports) outputs.homeModules;
  templates = builtins.mapAttrs (_: template: toString template.path) outputs.templates;
}

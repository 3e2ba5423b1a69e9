# What `nix flake init` gives, after dormouse-generate has run in it.
{
  nixpkgs ? null,
  folder,
}:
let
  outputs = (import (folder + "/flake.nix")).outputs {
    self = outputs;
    nixpkgs = {
      legacyPackages.x86_64-linux.runCommand = name: _: text: { inherit name text; };
      lib.nixosSystem =
        if nixpkgs == null then arguments: arguments else import (nixpkgs + "/nixos/lib/eval-config.nix");
    };
    dormouse = {
      nixosModules.default.imports = [ ../../modules/nixos.nix ];
      packages.x86_64-linux.dormouse = "/package";
    };
  };
  host = outputs.nixosConfigurations.desktop;
in
{
  outputs = builtins.attrNames outputs;
  hosts = builtins.attrNames outputs.nixosConfigurations;
  checks = builtins.attrNames outputs.checks.x86_64-linux;
  modules =
    if nixpkgs == null then map toString (builtins.filter builtins.isPath host.modules) else [ ];
  failedAssertions =
    if nixpkgs == null then
      [ ]
    else
      map (failed: failed.message) (builtins.filter (claim: !claim.assertion) host.config.assertions);
  toplevel = if nixpkgs == null then null else host.config.system.build.toplevel.drvPath;
}

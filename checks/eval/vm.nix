# The machines of checks/vm.nix as whole NixOS systems, and its script.
{ nixpkgs, repository }:
let
  test = import ../vm.nix {
    self = {
      nixosModules.default.imports = [ ../../modules/nixos.nix ];
      outPath = repository;
    };
    pkgs = {
      runCommand =
        name: _: _:
        "/${name}";
      testers.runNixOSTest = test: test;
    };
    dormouse = "/nix/store/00000000000000000000000000000000-dormouse";
  };
  system =
    node:
    import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = "x86_64-linux";
      modules = [
        node
        (
          { modulesPath, ... }:
          {
            imports = [ "${modulesPath}/virtualisation/qemu-vm.nix" ];
            boot.zfs.forceImportRoot = false;
            system.stateVersion = "26.05";
          }
        )
      ];
    };
in
{
  inherit (test) testScript;
  nodes = builtins.mapAttrs (
    _: node:
    let
      inherit (system node) config;
    in
    {
      toplevel = config.system.build.toplevel.drvPath;
      failedAssertions = map (failed: failed.message) (
        builtins.filter (claim: !claim.assertion) config.assertions
      );
    }
  ) test.nodes;
}

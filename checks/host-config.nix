# A host with the module is a NixOS system; the derivation is evaluated, not built.
{
  self,
  lib,
  pkgs,
  ...
}:
let
  host = lib.nixosSystem {
    inherit (pkgs.stdenv.hostPlatform) system;
    modules = [
      self.nixosModules.default
      ../templates/flake/configuration.nix
      ../generator/tests/golden/home/hosts/desktop/nixos.nix
    ];
  };
in
pkgs.writeText "host-config" (
  builtins.unsafeDiscardStringContext host.config.system.build.toplevel.drvPath
)

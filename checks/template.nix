# What `nix flake init -t` gives is a NixOS system as it is; the derivation is evaluated, not built.
{
  self,
  nixpkgs,
  pkgs,
  ...
}:
let
  template = (import ../templates/flake/flake.nix).outputs {
    self = template;
    inherit nixpkgs;
    dormouse = self;
  };
  host = template.nixosConfigurations.desktop;
in
pkgs.writeText "template" (
  builtins.unsafeDiscardStringContext host.config.system.build.toplevel.drvPath
)

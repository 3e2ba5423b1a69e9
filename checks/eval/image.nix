# What a NixOS image does at boot with its user data: the scripts of its two services.
{ nixpkgs }:
let
  inherit
    (import (nixpkgs + "/nixos/lib/eval-config.nix") {
      system = "x86_64-linux";
      modules = [
        ({ modulesPath, ... }: { imports = [ "${modulesPath}/virtualisation/amazon-image.nix" ]; })
      ];
    })
    config
    ;
in
{
  apply = config.systemd.services.apply-ec2-data.script;
  init = config.systemd.services.amazon-init.script;
}

# The checks of `nix flake check`: one for each *.nix file of this folder, named like the file.
{
  self,
  nixpkgs,
  pkgs,
}:
let
  inherit (nixpkgs) lib;
  arguments = {
    inherit
      self
      nixpkgs
      lib
      pkgs
      ;
    dormouse = self.packages.${pkgs.stdenv.hostPlatform.system}.dormouse;
  };
  isCheck = file: type: type == "regular" && lib.hasSuffix ".nix" file && file != "default.nix";
  files = lib.attrNames (lib.filterAttrs isCheck (builtins.readDir ./.));
in
lib.listToAttrs (
  map (
    file: lib.nameValuePair (lib.removeSuffix ".nix" file) (import (./. + "/${file}") arguments)
  ) files
)

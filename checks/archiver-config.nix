# What an archiver boots is a NixOS system; the derivation is evaluated, not built.
{ lib, pkgs, ... }:
let
  archiver = lib.nixosSystem {
    inherit (pkgs.stdenv.hostPlatform) system;
    modules = [ ../generator/tests/golden/home/archivers/archiver/configuration.nix ];
  };
in
pkgs.writeText "archiver-config" (
  builtins.unsafeDiscardStringContext archiver.config.system.build.toplevel.drvPath
)

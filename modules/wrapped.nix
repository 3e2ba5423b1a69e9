# `dormouse` that knows the spec and this host; what the environment or the command line says counts more.
{
  lib,
  pkgs,
  package,
  defaults,
}:
let
  setDefault = variable: value: [
    "--set-default"
    variable
    value
  ];
  arguments = lib.concatLists (lib.mapAttrsToList setDefault defaults);
in
pkgs.symlinkJoin {
  name = "dormouse";
  paths = [ package ];
  nativeBuildInputs = [ pkgs.makeWrapper ];
  postBuild = "wrapProgram $out/bin/dormouse ${lib.escapeShellArgs arguments}";
}

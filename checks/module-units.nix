# The units of the example's host are those of eval/units.json.
{ nixpkgs, pkgs, ... }:
let
  found = import ./eval/host.nix {
    nixpkgs = nixpkgs.outPath;
    generated = ../generator/tests/golden/home;
    host = "desktop";
  };
in
pkgs.runCommand "module-units"
  {
    nativeBuildInputs = [ pkgs.jq ];
    units = builtins.toJSON { inherit (found) services timers; };
    passAsFile = [ "units" ];
  }
  ''
    diff -u ${./eval/units.json} <(jq --sort-keys . $unitsPath)
    touch $out
  ''

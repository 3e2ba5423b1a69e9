# Sources are formatted as `nix fmt` does it; golden files are what the generator writes.
{ self, pkgs, ... }:
pkgs.runCommand "formatting" { nativeBuildInputs = [ pkgs.nixfmt ]; } ''
  find ${self} -name '*.nix' -not -path '*/golden/*' -not -path '*/generated/*' -exec nixfmt --check {} +
  touch $out
''

{ self, pkgs, ... }:
pkgs.runCommand "formatting" { nativeBuildInputs = [ pkgs.nixfmt ]; } ''
  find ${self} -name '*.nix' -exec nixfmt --check {} +
  touch $out
''

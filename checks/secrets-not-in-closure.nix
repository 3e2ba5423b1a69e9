# Nothing that a host's units bring to the store holds a line of a private key.
{
  self,
  lib,
  pkgs,
  dormouse,
  ...
}:
let
  golden = ../generator/tests/golden/home;
  host = lib.nixosSystem {
    inherit (pkgs.stdenv.hostPlatform) system;
    modules = [
      self.nixosModules.default
      ../templates/flake/configuration.nix
      (golden + "/hosts/desktop/nixos.nix")
    ];
  };
  inherit (host.config.systemd) units;
  closure = pkgs.closureInfo {
    rootPaths = [
      units."dormouse-safe.service".unit
      units."dormouse-audit-safe.service".unit
      units."zfs-dormouse.service".unit
      host.config.environment.etc."ssh/ssh_known_hosts".source
    ];
  };
in
pkgs.runCommand "secrets-not-in-closure" { nativeBuildInputs = [ dormouse ]; } ''
  # The keys whose public halves the host has: of the golden files' seed.
  (umask 077 && printf '42%.0s' {1..32} >seed)
  dormouse-generate --spec ${self}/examples/home.json --seed seed --out public --secrets secrets
  diff -r public ${golden}
  cat secrets/{admin,hosts/*}/id_ed25519 secrets/archivers/*/ssh_host_ed25519_key |
    grep -v -e ----- | grep -E '.{40}' >lines

  if xargs grep -rlF -f lines <${closure}/store-paths; then
    echo "these files hold a private key"
    exit 1
  fi

  # A key that is there is found.
  cp secrets/hosts/desktop/id_ed25519 public/hosts/planted
  grep -rqF -f lines public
  touch $out
''

#!/bin/sh
# The Nix checks that need Nix alone: no network, no nixpkgs, no root. Debian's nix-bin is enough.
#
# DORMOUSE_BIN_DIR       folder of dormouse-generate; where `make` builds it when unset
# DORMOUSE_NIXPKGS       a nixpkgs tree: hosts and archivers are evaluated as whole NixOS systems too
# DORMOUSE_HOME_MANAGER  a home-manager tree: home.nix is evaluated with it too
set -eu
here=$(dirname "$(readlink -f "$0")")

if ! command -v nix-instantiate >/dev/null; then
    echo "nix-checks: nix-instantiate is missing; on Debian and Ubuntu: apt-get install nix-bin" >&2
    exit 1
fi
export DORMOUSE_BIN_DIR="${DORMOUSE_BIN_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dormouse/target/debug}"
exec python3 -B "$here/eval" "$@"

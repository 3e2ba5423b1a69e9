#!/bin/sh
# The Nix checks that need Nix alone: no network, no nixpkgs, no root. Debian's nix-bin is enough.
#
# DORMOUSE_BIN_DIR       folder of dormouse-generate; where `make` builds it when unset
# DORMOUSE_NIXPKGS       a nixpkgs tree, to evaluate whole systems with as nix-eval.sh does; else the
#                        <nixpkgs> of NIX_PATH, if there is one
# DORMOUSE_HOME_MANAGER  a home-manager tree: home.nix is evaluated with it too
set -eu
here=$(dirname "$(readlink -f "$0")")

if ! command -v nix-instantiate >/dev/null; then
    echo "nix-checks: nix-instantiate is missing; on Debian and Ubuntu: apt-get install nix-bin" >&2
    exit 1
fi
DORMOUSE_NIXPKGS="${DORMOUSE_NIXPKGS:-$(nix-instantiate --find-file nixpkgs 2>/dev/null || true)}"
export DORMOUSE_NIXPKGS
export DORMOUSE_BIN_DIR="${DORMOUSE_BIN_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dormouse/target/debug}"
exec python3 -B "$here/eval" "$@"

#!/bin/sh
# Evaluates whole systems with a nixpkgs tree: nix-eval.sh NIXPKGS [HOME_MANAGER]
#
# Hosts with the module, archivers, the flake template and, with a home-manager tree, home.nix; every
# option that is not there is an error. If NIXPKGS has a flake.nix, `nix flake check` is run on this
# checkout too, for all systems. Nothing is built, and no network is needed. The tree that
# flake.lock pins:
#
#     checks/nix-eval.sh "$(nix flake archive --json | jq -r .inputs.nixpkgs.path)"
#
# DORMOUSE_BIN_DIR  folder of dormouse-generate; where `make` builds it when unset
set -eu
here=$(dirname "$(readlink -f "$0")")

refuse() {
    echo "nix-eval: $1" >&2
    echo "  usage: checks/nix-eval.sh NIXPKGS [HOME_MANAGER], the folders of source trees" >&2
    exit 2
}

case $# in
1 | 2) ;;
*) refuse "one or two trees are needed, not $#" ;;
esac
[ -e "$1/nixos/lib/eval-config.nix" ] || refuse "$1 is no nixpkgs tree: it has no nixos/lib/eval-config.nix"
[ -z "${2:-}" ] || [ -e "$2/modules/programs/ssh.nix" ] ||
    refuse "$2 is no home-manager tree: it has no modules/programs/ssh.nix"

export DORMOUSE_NIXPKGS="$1"
export DORMOUSE_HOME_MANAGER="${2:-}"
exec "$here/nix-checks.sh" --systems

#!/bin/sh
# Installs what building and testing need, on Debian and Ubuntu. Does nothing when all is there.
set -eu

packages="binutils build-essential ca-certificates debian-archive-keyring e2fsprogs git iproute2 lz4 mmdebstrap
nix-bin openssh-client python3 python3-venv qemu-system-x86 qemu-utils shellcheck util-linux xz-utils zstd"

# The first of these that is installed or can be: the tests look at a page with it.
browsers="chromium-headless-shell chromium google-chrome-stable"

# The oldest Rust that the workspace builds with; `rust-version` in Cargo.toml.
oldest_rust=1.89

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
    if ! command -v apt-get >/dev/null; then
        echo "setup: apt-get is missing, so this is neither Debian nor Ubuntu." >&2
        echo "  Install by hand, under your system's names for them: $*" >&2
        exit 1
    fi
    echo "setup: installing $*"
    as_root apt-get update -qq
    # Word splitting makes the list of packages.
    # shellcheck disable=SC2046
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends --allow-downgrades \
        $(with_one_qemu "$@") >/dev/null
}

# QEMU's packages must have one version; one of them may be there from another source already.
with_one_qemu() {
    qemu=$(apt-cache policy qemu-system-x86 2>/dev/null | sed -n 's/^ *Candidate: //p')
    for package in "$@"; do
        case $package in
        qemu-*) [ -n "$qemu" ] && apt-cache show "$package=$qemu" >/dev/null 2>&1 && package="$package=$qemu" ;;
        esac
        echo "$package"
    done
}

# Prints what of its arguments is not installed.
missing_packages() {
    for package in "$@"; do
        state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || echo "$package"
    done
}

# Prints the browser that has to be installed, if any.
missing_browser() {
    for package in $browsers; do
        [ -n "$(missing_packages "$package")" ] || return 0
    done
    # A machine that is new knows no packages yet.
    [ -n "$(known_browser)" ] || as_root apt-get update -qq >&2
    known_browser
}

known_browser() {
    for package in $browsers; do
        [ -z "$(apt-cache search --names-only "^$package\$" 2>/dev/null)" ] || {
            echo "$package"
            return 0
        }
    done
}

rust_is_new_enough() {
    version=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) && [ -n "$version" ] &&
        [ "$(printf '%s\n' "$oldest_rust" "$version" | sort --version-sort | head -n 1)" = "$oldest_rust" ]
}

install_rust() {
    if ! command -v rustup >/dev/null && [ -z "$(apt-cache search --names-only '^rustup$' 2>/dev/null)" ]; then
        echo "setup: Rust $oldest_rust or newer is missing, and this release has no package rustup." >&2
        echo "  Install Rust as https://www.rust-lang.org/tools/install says, then run this again." >&2
        exit 1
    fi
    command -v rustup >/dev/null || install_packages rustup
    rustup default stable
    rustup component add clippy rustfmt
}

# Word splitting makes the list of packages.
# shellcheck disable=SC2086
missing="$(missing_packages $packages) $(missing_browser)"
case $missing in
# apt has to choose their version together.
*qemu-*) missing="$missing qemu-system-x86 qemu-utils" ;;
esac
# shellcheck disable=SC2086
[ -z "${missing# }" ] || install_packages $missing
rust_is_new_enough || install_rust

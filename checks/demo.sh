#!/bin/sh
# `make demo`: builds what is missing, side by side, then shows one backup cycle. make sets the variables.
set -eu
: "${DORMOUSE_CACHE:?}" "${DORMOUSE_BIN_DIR:?}" "${PYTHON:?}" "${MAKE:=make}"
cd "$(dirname "$(readlink -f "$0")")/.."

begin=$(date +%s)
logs=$DORMOUSE_CACHE/demo
mkdir -p "$logs"

say() {
    seconds=$(($(date +%s) - begin))
    printf '[%2d:%02d] %s\n' $((seconds / 60)) $((seconds % 60)) "$*"
}

is_compiled() { [ -x "$DORMOUSE_BIN_DIR/dormouse" ]; }
has_guest() {
    command -v python3 >/dev/null &&
        python3 -c 'import sys; from checks.lab import backend; sys.exit(not any(b.is_built() for b in backend.known().values()))' 2>/dev/null
}
# How long a step usually takes on two cores that have nothing else to do.
usually() { if "$1"; then echo "done already"; else echo "about $2 minutes, once"; fi; }

echo "One whole backup cycle: virtual machines with real ZFS and OpenSSH, and an EC2 API on this computer."
echo
echo "  1. packages that are missing          up to 2 minutes, once"
echo "  2. side by side:"
echo "     compile Dormouse                   $(usually is_compiled 8)"
echo "     build the machines' kernel, disk   $(usually has_guest 11)"
echo "  3. the cycle: set up, back up, nothing to do, back up again, tear down: about 3 minutes"
echo

# run NAME COMMAND…   with its output in a log, whose end is shown if it fails.
run() {
    name=$1
    shift
    "$@" >"$logs/$name.log" 2>&1 || {
        say "failed: $*; the end of $logs/$name.log:"
        tail -n 20 "$logs/$name.log"
        return 1
    }
}

say "1. packages (log: $logs/setup.log); next: compiling and building the guest"
run setup "$MAKE" demo-setup

say "2. compiling Dormouse, and building the guest (logs: $logs/*.log); next: the cycle"
if is_compiled && has_guest; then beat=600; else beat=30; fi
run compile "$MAKE" -o setup build &
compile=$!
run guest "$MAKE" -o setup demo-guest &
guest=$!
trap 'kill $compile $guest 2>/dev/null || true' INT TERM

waited=0
while kill -0 $compile 2>/dev/null || kill -0 $guest 2>/dev/null; do
    sleep 1
    waited=$((waited + 1))
    if [ $((waited % beat)) = 0 ]; then
        state=
        kill -0 $compile 2>/dev/null && state="compiling: $(tail -n 1 "$logs/compile.log" | cut -c 1-60)"
        kill -0 $guest 2>/dev/null && state="$state; guest: $(tail -n 1 "$logs/guest.log" | cut -c 1-70)"
        say "   ${state#; }"
    fi
done
wait $compile
wait $guest

say "3. the cycle"
echo
"$MAKE" --no-print-directory -o setup -o build demo-cycle
say "done; what was built stays in $DORMOUSE_CACHE, so the next demo starts with the cycle"

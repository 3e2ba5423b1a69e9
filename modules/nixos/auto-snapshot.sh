#!/bin/sh
# auto-snapshot.sh DATASET…: these datasets and those below them get automatic snapshots.
set -eu
failed=0
for dataset; do
    # A value that is right already is not set again: that would write to the pool at every boot.
    if [ "$(zfs get -H -o value com.sun:auto-snapshot "$dataset")" = true ]; then continue; fi
    zfs set com.sun:auto-snapshot=true "$dataset" || failed=1
done
exit $failed

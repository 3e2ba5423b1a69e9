#!/bin/sh
# grant.sh USER RIGHTS [DATASET…]: the user has these rights on these datasets and those below them,
# and no longer on others that an earlier call gave.
#
# What was given stands in $STATE_DIRECTORY/granted, a line each: rights, tab, dataset.
set -eu
user=$1
rights=$2
shift 2
granted=$STATE_DIRECTORY/granted
tab=$(printf '\t')
failed=0
touch "$granted"

is_due() {
    [ "$1" = "$rights" ] || return 1
    wanted=$2
    shift 2
    for due; do
        if [ "$due" = "$wanted" ]; then return 0; fi
    done
    return 1
}

# A dataset that is gone took its rights along; one whose pool is away keeps them.
is_gone() {
    zfs list -H -o name -d 0 "${1%%/*}" >/dev/null 2>&1 && ! zfs list -H -o name "$1" >/dev/null 2>&1
}

# Rights that stay due are not touched: a replication may be using them.
{
    while IFS=$tab read -r had dataset; do
        if is_due "$had" "$dataset" "$@" || is_gone "$dataset"; then continue; fi
        if ! zfs unallow -u "$user" "$had" "$dataset"; then
            echo "the rights of $user on $dataset stay until the next start" >&2
            printf '%s\t%s\n' "$had" "$dataset"
        fi
    done <"$granted"
    for dataset; do
        printf '%s\t%s\n' "$rights" "$dataset"
    done
} >"$granted.new"
mv "$granted.new" "$granted"

for dataset; do
    zfs allow -u "$user" "$rights" "$dataset" || failed=1
done
exit $failed

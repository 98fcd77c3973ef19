#!/usr/bin/env bash
# Has a witness cosign logs of ours, and asks two verifiers what they make of it.
#
#   cosigned.sh BIN COUNTERSIGN URL VKEY DIR...
set -euo pipefail
bin=$1 countersign=$2 url=$3 vkey=$4
shift 4

# The word and the exit code of our verifier.
expect() {
    local want=$1 code=0 said
    shift
    said=$("$countersign" verify "$@" 2>&1) || code=$?
    [ "${said%% *}/$code" = "$want" ] || { printf '%s\nexpected %s, got code %s\n' "$said" "$want" "$code" >&2; exit 1; }
    printf '%s: countersign verify: %s\n' "$1" "$(printf '%s' "$said" | sed -n 1p)"
}

for dir in "$@"; do
    key=$(cat "$dir/log.vkey")
    # As it was published: another witness may have been here.
    head -n 5 "$dir/checkpoint" >"$dir/published" && cp "$dir/published" "$dir/checkpoint"
    printf 'log %s\nwitness lite %s\nquorum lite\n' "$key" "$vkey" >"$dir/policy"
    expect unanchored/4 "$dir" --policy "$dir/policy"
    "$bin/torchwood" submit "$url" "$vkey" "$dir"
    "$bin/torchwood" policy "$dir/policy" "$dir/cosigned"
    cp "$dir/cosigned" "$dir/checkpoint"
    expect trusted/0 "$dir" --policy "$dir/policy"
done

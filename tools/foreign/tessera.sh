#!/usr/bin/env bash
# A log of Tessera's before a witness: it publishes nothing until the witness has cosigned.
#
#   tessera.sh BIN DIR keygen          makes the log's key in DIR, its vkey in DIR/log.vkey
#   tessera.sh BIN DIR append URL VKEY appends three times, and checks what was published
set -euo pipefail
bin=$1 dir=$2 what=$3

if [ "$what" = keygen ]; then
    mkdir -p "$dir/entries"
    "$bin/torchwood" keygen tessera.example/log "$dir/log.key" >"$dir/log.vkey"
    exit 0
fi

url=$4 vkey=$5
printf 'log %s\nwitness ours %s %s/\nquorum ours\n' "$(cat "$dir/log.vkey")" "$vkey" "$url" >"$dir/policy"
for round in 1 2 3; do
    for n in $(seq 100); do printf 'entry %s of round %s\n' "$n" "$round" >"$dir/entries/$round-$n"; done
    "$bin/posix-oneshot" -storage_dir "$dir/log" -entries "$dir/entries/$round-*" \
        -private_key "$dir/log.key" -witness_policy_file "$dir/policy" >"$dir/said" 2>&1 ||
        { cat "$dir/said" >&2; exit 1; }
    "$bin/torchwood" policy "$dir/policy" "$dir/log/checkpoint"
done

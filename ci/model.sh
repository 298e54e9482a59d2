#!/usr/bin/env bash
# The long campaign: random programs on the library and on the reference model of ECMAScript's promises (tests/model),
# whose logs must be the same line for line. A release build, on all cores.
#
#     ci/model.sh              10 000 000 programs
#     ci/model.sh 1000000 7    as many, the first one made with seed 7
#
# Each line of figures is for a million programs. The first program that differs ends the campaign: it is printed as small
# as it can be made, with its seed, which belongs into tests/model/seeds.txt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
count=${1:-10000000}
seed=${2:-1}
at_once=1000000

binary=$(cargo test --release --test model --no-run --message-format=json |
    sed -n '/"name":"model"/s/.*"executable":"\([^"]*\)".*/\1/p')
out=$(mktemp)
trap 'rm -f "$out"' EXIT

start=$SECONDS
programs=0
operations=0
lines=0
last=$((seed + count))
while [ "$seed" -lt "$last" ]; do
    step=$((last - seed < at_once ? last - seed : at_once))
    if ! THENABLE_MODEL_SEED=$seed THENABLE_MODEL_PROGRAMS=$step \
        "$binary" --exact tests::the_library_does_as_the_model_does --nocapture >"$out" 2>&1; then
        cat "$out"
        exit 1
    fi
    figures=$(grep 'no difference' "$out")
    echo "from seed $seed: $figures"
    programs=$((programs + $(grep -oE '[0-9]+ programs,' <<<"$figures" | cut -d' ' -f1)))
    operations=$((operations + $(grep -oE '[0-9]+ operations' <<<"$figures" | cut -d' ' -f1)))
    lines=$((lines + $(grep -oE '[0-9]+ lines' <<<"$figures" | cut -d' ' -f1)))
    seed=$((seed + step))
done
echo "$programs programs, $operations operations, $lines lines of log in $((SECONDS - start)) s: 0 differences"

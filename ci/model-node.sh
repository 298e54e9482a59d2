#!/usr/bin/env bash
# Runs random programs in Node and on the reference model, whose logs must be the same line for line; the same programs
# run on the library, too, which must agree with the model.
#
#     ci/model-node.sh              100 000 programs
#     ci/model-node.sh 1000000 7    as many, the first one made with seed 7
#
# Programs that cancel are left out, because JavaScript cannot; they are counted apart. One process of Node runs ten thousand
# programs. Where Node is not installed nothing is compared, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
count=${1:-100000}
seed=${2:-1}
at_once=10000

if ! command -v node >/dev/null; then
    echo 'skipped: node is not installed, so nothing was compared with it'
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# `MODEL_PROFILE=dev` takes the build that `cargo test` has made already.
binary=$(cargo test --profile "${MODEL_PROFILE:-release}" --test model --no-run --message-format=json |
    sed -n '/"name":"model"/s/.*"executable":"\([^"]*\)".*/\1/p')

start=$SECONDS
compared=0
lines=0
first=$seed
last=$((seed + count))
while [ "$seed" -lt "$last" ]; do
    step=$((last - seed < at_once ? last - seed : at_once))
    if ! THENABLE_MODEL_NODE=$folder THENABLE_MODEL_SEED=$seed THENABLE_MODEL_PROGRAMS=$step \
        "$binary" --ignored --exact tests::print_for_node >"$folder/out" 2>&1; then
        cat "$folder/out"
        exit 1
    fi
    node --max-old-space-size=1000 tests/model/node.js "$folder/programs.js" >"$folder/node.log"
    if ! diff -u --label model --label node "$folder/expected.log" "$folder/node.log" >"$folder/diff"; then
        head -n 60 "$folder/diff"
        echo "Node and the model differ; the number above the first difference is the program's seed" >&2
        exit 1
    fi
    compared=$((compared + $(grep -c '^[0-9]*:$' "$folder/node.log")))
    lines=$((lines + $(grep -c '^  ' "$folder/node.log")))
    seed=$((seed + step))
done
if [ "$compared" -eq 0 ]; then
    echo 'no program was compared' >&2
    exit 1
fi
echo "seeds $first to $((last - 1)) and those kept: $compared programs without cancelling, $lines lines of log in" \
    "$((SECONDS - start)) s: Node $(node --version), the model and the library agree"

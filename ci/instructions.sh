#!/usr/bin/env bash
# Counts instructions with callgrind: the same on every run of the same build, whatever else the machine does. Prints them
# beside the budgets and fails above one. Needs valgrind; without it nothing is counted, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../benches"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

if ! command -v valgrind >/dev/null; then
    echo 'skipped: valgrind is not installed, so nothing was counted'
    exit 0
fi
cargo build --quiet --release --package thenable-instructions
program=$CARGO_TARGET_DIR/release/thenable-instructions

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 | awk '/Collected/ { print $4 }'
}

over=0
printf '%-40s %12s %8s\n' 'operation' 'instructions' 'budget'
while IFS='|' read -r what title budget; do
    # What starting and ending costs is in both.
    each=$((($(count "$what" 11000) - $(count "$what" 1000)) / 10000))
    printf '%-40s %12s %8s\n' "$title" "$each" "${budget:--}"
    if [ -n "$budget" ] && [ "$each" -gt "$budget" ]; then
        over=1
    fi
done <<'EOF'
settle|create + resolve + await|210
link|a link, two words captured|330
tens|a chain of ten links, awaited|
all|an input of `all`, pending|
fan_out|a handler of many on one promise|
awaits|an await of many of one promise|
spawn|a future, spawned and awaited|
EOF
exit $over

#!/usr/bin/env bash
# Measures everything and records the figures: benches/results.md (Rust peers), benches/compare (other languages, and the
# README's table), benches/scaling. Half an hour on a machine that does nothing else; says so if it does.
# With --quick: lints, and every program once with tiny sizes, unoptimized, to show that all of it works; records nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../benches"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

if [ "${1:-}" = --quick ]; then
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    # One build for everything.
    cargo build --workspace --all-targets
    cargo test --workspace --lib
    # Quiet as long as it works.
    log=$CARGO_TARGET_DIR/bench.log
    cargo bench --profile dev --workspace --bench benches -- --quick >"$log" 2>&1 || { cat "$log"; exit 1; }
    "$CARGO_TARGET_DIR/debug/thenable-compare" --quick
    "$CARGO_TARGET_DIR/debug/thenable-scaling" --quick
    exit
fi

# More than a quarter of a core is at work already.
if awk '{ exit !($1 > 0.25) }' /proc/loadavg; then
    echo "warning: this machine is busy (load $(cut -d' ' -f1 /proc/loadavg)): the figures will be worse than they are" >&2
fi

cargo bench --bench benches
{
    echo '# This crate and its peers in Rust'
    echo
    echo 'Written by `ci/bench.sh`; [`README.md`](README.md) says what the questions are.'
    echo
    cat "$CARGO_TARGET_DIR/figures/benches/about.md"
    echo
    echo "Peers: $(cargo tree --depth 1 --edges dev --prefix none --package thenable-benches |
        sed -n '2,$ s/^\([^ ]*\) v\([^ ]*\).*/\1 \2/p' | grep -v '^thenable' | paste -sd, | sed 's/,/, /g')."
    for subject in chain settle fan_out combinators pools cross_thread spawn timers doxbee; do
        echo
        cat "$CARGO_TARGET_DIR/figures/benches/$subject.md"
    done
} >results.md
cargo run --release --package thenable-compare -- --readme ../README.md
cargo run --release --package thenable-scaling
git --no-pager diff --stat -- . ../README.md

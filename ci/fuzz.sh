#!/usr/bin/env bash
# Fuzzing with libFuzzer under AddressSanitizer. What goes wrong, touches freed memory, leaks or does not end stops it.
#
#     ci/fuzz.sh                      operations, for 10 minutes
#     ci/fuzz.sh 60                   operations, for as many seconds
#     ci/fuzz.sh decode_frames 60     that target
#     ci/fuzz.sh [TARGET] leaks       runs all that was found once more, and looks for leaks after each
#     ci/fuzz.sh [TARGET] corpus      rewrites the committed corpus: what the last runs found, as small as it can be made
#
# `operations`: bytes become a program of promise operations, which runs on the library and on the reference model
# (tests/model); one that differs is printed as small as it can be made. `decode_frames`: bytes become a stream as a worker
# process may send it, which goes through the decoder of frames in pieces of several sizes, and through a plain one
# (tests/process/frames.rs).
#
# Needs cargo-fuzz (`cargo install cargo-fuzz --locked`) and a nightly toolchain; where one is missing nothing is fuzzed, and
# a line says so. What is found stays in the target folder and is the next run's start, beside the corpus in fuzz/corpus.
# `cargo test --test model` and `cargo test --features process --test process` run that corpus too, on any toolchain.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target=operations
case ${1:-} in
    operations | decode_frames)
        target=$1
        shift
        ;;
esac
what=${1:-600}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
found=$CARGO_TARGET_DIR/corpus/$target
committed=fuzz/corpus/$target

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo 'skipped: there is no nightly toolchain, so nothing was fuzzed'
    exit 0
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo 'skipped: cargo-fuzz is not installed, so nothing was fuzzed'
    exit 0
fi

# Freed blocks are not used again, or the sanitizer would not see that they were freed.
export RUSTFLAGS="${RUSTFLAGS:-} --cfg thenable_no_reuse"
# The standard library that rustup installs is not built with the sanitizer, which newer compilers remark on.
if rustc +nightly -C help 2>/dev/null | grep -q unsafe-allow-abi-mismatch; then
    RUSTFLAGS+=" -Cunsafe-allow-abi-mismatch=sanitizer"
fi
mkdir -p "$found" "$committed"
# No input needs more bytes. Leaks are looked for once, at the end: looking after each input takes far longer than the
# input. `ci/fuzz.sh leaks` tells which input it is.
limits=(-max_len=1024 -len_control=10 -timeout=20 -detect_leaks=0)

if [ "$what" = corpus ]; then
    small=$(mktemp -d)
    trap 'rm -rf "$small"' EXIT
    # The fewest inputs that reach what all of them reach.
    cargo +nightly fuzz run "$target" "$small" "$committed" "$found" -- "${limits[@]}" -set_cover_merge=1 -use_counters=0
    rm -f "$committed"/*
    for file in "$small"/*; do cp "$file" "$committed/$(basename "$file" | cut -c1-12)"; done
    echo "$(find "$committed" -type f | wc -l) inputs in $committed"
    exit
fi
if [ "$what" = leaks ]; then
    cargo +nightly fuzz run "$target" "$found" "$committed" -- "${limits[@]}" -detect_leaks=1 -runs=0
    exit
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo +nightly fuzz run "$target" "$found" "$committed" -- "${limits[@]}" -max_total_time="$what" \
    -print_final_stats=1 2>&1 | tee "$log" | grep --line-buffered -vE '^#|NEW_FUNC|Uses:'
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
coverage=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -1)
echo "$target: $runs inputs in $what s under AddressSanitizer, $coverage: nothing found"

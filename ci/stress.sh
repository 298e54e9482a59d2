#!/usr/bin/env bash
# Real threads against each other, in a release build (tests/stress): each pair of operations that may meet, with every
# outcome checked, every value's drops counted, and memory that must stay flat.
#
#     ci/stress.sh                  5,000,000 rounds over all pairs: half a minute on two cores
#     ci/stress.sh long             100,000,000
#     ci/stress.sh 9000000 cancel   so many, of the pairs with "cancel" in their name
#     ci/stress.sh --soak 60        all pairs mixed on twice as many threads as cores, for so many seconds: see ci/soak.sh
#     ci/stress.sh --plants         shows that it can fail: compiles planted bugs of logic into the core, one at a time
#
# Before these, how to run: `--address` under AddressSanitizer, with each block from the allocator and then with the pages
# that the library really uses (needs a nightly toolchain); `--valgrind` under valgrind, where 20,000 rounds or 20 seconds are
# the default. Where the tool is missing nothing is run, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
manifest=tests/stress/Cargo.toml
seed=${STRESS_SEED:-$(date +%s)}

under=''
case ${1:-} in
    --address | --valgrind)
        under=${1#--}
        shift
        ;;
esac
what=stress
case ${1:-} in
    --soak | --plants)
        what=${1#--}
        shift
        ;;
esac
amount=${1:-}
case $amount:$under:$what in
    long:*) amount=100000000 ;;
    :valgrind:soak) amount=20 ;;
    :valgrind:*) amount=20000 ;;
    :*:soak) amount=60 ;;
    :*) amount=5000000 ;;
esac
if [ "$what" = soak ]; then
    arguments=(soak --seconds "$amount")
else
    arguments=(stress --rounds "$amount")
fi
arguments+=(--seed "$seed" --pair "${2:-}")

# The sanitizer and valgrind run what is built for them with everything slower, and keep what is freed.
case $under in
    '')
        if [ "$what" != plants ]; then
            cargo build --quiet --release --manifest-path "$manifest"
            "$CARGO_TARGET_DIR/release/thenable-stress" "${arguments[@]}"
        fi
        ;;
    valgrind)
        if ! command -v valgrind >/dev/null; then
            echo 'skipped: valgrind is not installed, so nothing was run'
            exit 0
        fi
        export THENABLE_TIME_SCALE=${THENABLE_TIME_SCALE:-20}
        RUSTFLAGS="${RUSTFLAGS:-} --cfg thenable_no_reuse" CARGO_TARGET_DIR=$CARGO_TARGET_DIR/no_reuse \
            cargo build --quiet --release --manifest-path "$manifest"
        # What is reachable at the end belongs to threads that never end.
        valgrind --quiet --fair-sched=yes --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
            --error-exitcode=3 "$CARGO_TARGET_DIR/no_reuse/release/thenable-stress" "${arguments[@]}" --no-memory
        ;;
    address)
        if ! cargo +nightly --version >/dev/null 2>&1; then
            echo 'skipped: there is no nightly toolchain, so nothing was run'
            exit 0
        fi
        export THENABLE_TIME_SCALE=${THENABLE_TIME_SCALE:-10}
        host=$(rustc +nightly -vV | sed -n 's/^host: //p')
        flags="${RUSTFLAGS:-} -Zsanitizer=address"
        # The standard library that rustup installs is not built with the sanitizer, which newer compilers remark on.
        if rustc +nightly -C help 2>/dev/null | grep -q unsafe-allow-abi-mismatch; then
            flags+=" -Cunsafe-allow-abi-mismatch=sanitizer"
        fi
        for blocks in '--cfg thenable_no_reuse' ''; do
            echo "blocks: ${blocks:-from pages}"
            RUSTFLAGS="$flags $blocks" CARGO_TARGET_DIR=$CARGO_TARGET_DIR/sanitize \
                cargo +nightly build --quiet --release --target "$host" --manifest-path "$manifest"
            "$CARGO_TARGET_DIR/sanitize/$host/release/thenable-stress" "${arguments[@]}" --no-memory
        done
        ;;
esac
[ "$what" = plants ] || exit 0

# Bugs of logic, which this processor shows. One that only weakens an ordering is for loom alone. With each bug's name how many
# rounds of which pair find it: by a failure, a crash, or a hang that the program itself notices after a minute.
bad=0
log=$CARGO_TARGET_DIR/plants/log
while read -r plant rounds pair; do
    status=0
    RUSTFLAGS="${RUSTFLAGS:-} --cfg thenable_plant=\"$plant\"" CARGO_TARGET_DIR=$CARGO_TARGET_DIR/plants \
        cargo build --quiet --release --manifest-path "$manifest"
    # In a shell of its own, whose word on an abort goes to the log.
    (timeout 200 "$CARGO_TARGET_DIR/plants/release/thenable-stress" stress --rounds "$rounds" --seed "$seed" --pair "$pair"
        exit $?) >"$log" 2>&1 || status=$?
    case $status in
        0 | 124) echo "$plant: NOT FOUND by $pair" >&2; bad=1 ;;
        *) echo "$plant: found by $pair: $(grep -m1 -E 'FAILED|panicked|corrupt' "$log" || echo "status $status")" ;;
    esac
done <<'END'
m03_two_claims 10000000 resolve/reject
m04_resolvers_torn 1000000 drop resolver/drop resolver
m09_count_torn 1000000 clone, drop/drop
m14_looked_before_armed 300000 call_soon/loop sleeps
m15_closed_takes_jobs 100000 settle/loop closes
m21_late_returns_lost 20000 thread ends/its blocks are freed
m21_orphan_torn 60000 thread ends/its blocks are freed
END
exit $bad

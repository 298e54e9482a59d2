#!/usr/bin/env bash
# The child processes of tests/children under valgrind, and the cross product: no error and no leak, without a
# suppression.
#
#     ci/valgrind.sh            all of them
#     ci/valgrind.sh locals::   those with "locals::" in their path
#
# Where valgrind is missing (`apt-get install valgrind`) nothing is run, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! command -v valgrind >/dev/null; then
    echo 'skipped: valgrind is not installed (apt-get install valgrind), so nothing was run'
    exit 0
fi
name=${1:-}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/valgrind
# Each block from the allocator, or valgrind would not see that it was freed.
export RUSTFLAGS="${RUSTFLAGS:-} --cfg thenable_no_reuse"
export THENABLE_UNDER_VALGRIND=1 THENABLE_TIME_SCALE=${THENABLE_TIME_SCALE:-20} RUST_BACKTRACE=0

# The paths of the test programs.
programs=$(cargo test --no-run --test children --test it --message-format short 2>&1 | sed -n 's/.*(\(.*\))$/\1/p')
children=$(grep '/children-' <<<"$programs")
it=$(grep '/it-' <<<"$programs")
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

# Runs one test as a child of nobody: it does its work itself. Those that end with promises and threads in flight, on purpose,
# are looked at for errors alone; so are rings of promises, which wait for each other for ever, and payloads of panics that panic
# when they are dropped: what the second panic carries is given up.
run() {
    local program=$1 test=$2 leaks=full
    [[ $test =~ ^(exits|forks|scarce):: ]] && leaks=no
    [[ $test =~ ^hostile::(longer_rings|panic_payloads|cross_product_on_(a_local|the_global)_loop) ]] && leaks=no
    PENDING=1000 THENABLE_TEST_CHILD=$test valgrind --quiet --error-exitcode=99 --leak-check=$leaks \
        --errors-for-leak-kinds=definite --show-leak-kinds=definite --fair-sched=yes --log-file="$log/%p" \
        "$program" "$test" --exact --nocapture --test-threads 1 >"$log/out" 2>&1
}

count=0
failed=()
while read -r program test; do
    echo "$test"
    status=0
    run "$program" "$test" || status=$?
    if [ "$status" -ne 0 ] || [ -n "$(cat "$log"/[0-9]* 2>/dev/null)" ]; then
        failed+=("$test")
        tail -n 40 "$log"/* >&2
    fi
    rm -f "$log"/*
    count=$((count + 1))
done < <(
    # Memory that is flat is not valgrind's subject, counting to a thousand million would take it a day, and a limit on this
    # process would be one on valgrind.
    "$children" --list --format terse | sed -n 's/: test$//p' |
        grep -vE '^(memory|counts)::|^scarce::(without_threads|without_room|a_pool)|comes_back|of_ones_own_loop' |
        grep -F -- "$name" | sed "s|^|$children |" || true
    "$it" --list --format terse | sed -n 's/: test$//p' | grep -E '^hostile::' | grep -F -- "$name" | sed "s|^|$it |" || true
)
if [ ${#failed[@]} -gt 0 ]; then
    printf 'valgrind has something to say about %s\n' "${failed[@]}" >&2
    exit 1
fi
if [ "$count" -eq 0 ]; then
    echo "no test has \"$name\" in its path" >&2
    exit 1
fi
echo "$count tests under valgrind: no error, no leak"

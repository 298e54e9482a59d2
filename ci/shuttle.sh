#!/usr/bin/env bash
# Runs the scenarios above the core under shuttle: on random schedules, on those of PCT (depth 3), and on a few twice, to see
# that they can be replayed.
#
#     ci/shuttle.sh                              4,000 random schedules a scenario and as many of PCT, the same every time
#     ci/shuttle.sh long [SCHEDULES [SEED]]      more of them, 20,000 of each unless told otherwise, and others every day
#     ci/shuttle.sh replay SCENARIO SCHEDULE     one schedule again, as a failure has printed it; or the seed of a random one
#     ci/shuttle.sh plants [NAME]                that the scenarios can fail: plants one bug after the other, and runs its
#                                                scenario
#     ci/shuttle.sh NAME                         as the first, only those with NAME in their path
#
# A scenario is a test of tests/shuttle whose name begins with its number. A plant is a
# `cfg(thenable_plant = "sNN_what_is_wrong")` outside of src/core; the number says which scenario must find it. The flag
# `--cfg shuttle` goes to every crate of the build, so this build has a folder of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/shuttle
export RUSTFLAGS="${RUSTFLAGS:-} --cfg shuttle"
export SHUTTLE_SCHEDULES=${SHUTTLE_SCHEDULES:-4000}

run() {
    local count
    count=$(cargo test --profile shuttle --test shuttle "$1" -- --list | grep -c ': test$' || true)
    if [ "$count" -eq 0 ]; then
        echo "no scenario has \"$1\" in its path" >&2
        exit 1
    fi
    cargo test --profile shuttle --test shuttle "$1"
}

# Compiles the scenarios with one bug, and says where they are. The flag is for this crate alone, so that only that is
# compiled anew: a compiler of its own for each bug adds it.
build() {
    local compiler=$CARGO_TARGET_DIR/plants/$1
    mkdir -p "${compiler%/*}"
    printf '#!/bin/sh\nexec "$@" --cfg thenable_plant=\\"%s\\"\n' "$1" >"$compiler"
    chmod +x "$compiler"
    RUSTC_WORKSPACE_WRAPPER=$compiler cargo test --quiet --profile shuttle --test shuttle --no-run --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1
}

plants() {
    local bad=0 plant scenario exe status
    # A scenario that runs this long has not found its bug.
    local limit=${SHUTTLE_PLANT_SECONDS:-300}
    # Not local: the trap outlives the function.
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    # Rarer bugs take more than what a quick run has.
    export SHUTTLE_SCHEDULES=${SHUTTLE_PLANT_SCHEDULES:-200000}
    mapfile -t found < <(grep -rhoE 'thenable_plant = "s[0-9]+_[a-z0-9_]+"' src | cut -d'"' -f2 | sort -u | grep -e "${1:-.}")
    for plant in "${found[@]}"; do
        scenario=${plant%%_*}_
        exe=$(build "$plant")
        if [[ $("$exe" --list "$scenario") != *": test"* ]]; then
            echo "$plant: there is no scenario $scenario" >&2
            bad=1
            continue
        fi
        status=0
        (timeout "$limit" "$exe" "$scenario"; exit $?) >"$log" 2>&1 || status=$?
        case $status in
            0) echo "$plant: NOT FOUND by $scenario" >&2; bad=1 ;;
            124) echo "$plant: NOT FOUND by $scenario in $limit s" >&2; bad=1 ;;
            *) echo "$plant: found: $(grep -A1 -m1 'panicked at' "$log" | tail -1 || true)" ;;
        esac
    done
    return $bad
}

case ${1:-} in
    long)
        SHUTTLE_SCHEDULES=${2:-20000} SHUTTLE_SEED=${3:-$(date +%Y%m%d)}
        export SHUTTLE_SCHEDULES SHUTTLE_SEED
        echo "$SHUTTLE_SCHEDULES schedules of each kind, seed $SHUTTLE_SEED"
        run ''
        ;;
    replay)
        # The schedule may stand in several lines.
        SHUTTLE_REPLAY=$(tr -d '[:space:]"' <<<"$3")
        export SHUTTLE_REPLAY
        run "$2"
        ;;
    plants) plants "${2:-}" ;;
    *) run "${1:-}" ;;
esac

#!/usr/bin/env bash
# Shows that the loom models can fail: compiles each planted bug into the core, one at a time, and runs its model.
#
#     ci/loom-plants.sh         all of them
#     ci/loom-plants.sh m05     those with m05 in their name
#
# A plant is a `cfg(thenable_plant = "mNN_what_is_wrong")` in src/core; the number says which model must find it. Only the
# crate itself is compiled anew for each.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/loom
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
# `cargo rustc` gives flags to this crate alone, but knows unit tests only by the name of their profile.
export CARGO_PROFILE_TEST_OPT_LEVEL=3 CARGO_PROFILE_DEV_OPT_LEVEL=3 CARGO_INCREMENTAL=0
# A model that runs this long has not found its bug.
limit=${LOOM_PLANT_SECONDS:-300}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

mapfile -t plants < <(grep -rhoE 'thenable_plant = "[a-z0-9_]+"' src/core | cut -d'"' -f2 | sort -u | grep -e "${1:-.}")
mapfile -t models < <(grep -rhoE 'fn loom_m[0-9]+' src/core/models | grep -oE 'm[0-9]+' | sort -u | grep -e "${1:-.}" || true)

build() {
    cargo rustc --quiet --lib --profile test --message-format=json -- "$@" |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1
}

bad=0
for model in "${models[@]}"; do
    if [[ " ${plants[*]}" != *" ${model}_"* ]]; then
        echo "$model: no plant" >&2
        bad=1
    fi
done
for plant in "${plants[@]}"; do
    model=loom_${plant%%_*}_
    exe=$(build --cfg "thenable_plant=\"$plant\"")
    if [[ $("$exe" --list "$model") != *": test"* ]]; then
        echo "$plant: there is no model $model" >&2
        bad=1
        continue
    fi
    status=0
    # In a shell of its own, whose word on an abort goes to the log.
    (timeout "$limit" "$exe" --test-threads=1 "$model"; exit $?) >"$log" 2>&1 || status=$?
    case $status in
        0) echo "$plant: NOT FOUND by $model" >&2; bad=1 ;;
        124) echo "$plant: NOT FOUND by $model in $limit s" >&2; bad=1 ;;
        *) echo "$plant: found: $(grep -A1 -m1 'panicked at' "$log" | tail -1 || true)" ;;
    esac
done
exit $bad

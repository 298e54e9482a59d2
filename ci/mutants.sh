#!/usr/bin/env bash
# cargo-mutants: changes the library's code in thousands of small ways, one at a time, and runs the tests on each. One that no
# test notices shows what is not tested.
#
#     ci/mutants.sh core           src/core: every mutant that compiles must be noticed
#     ci/mutants.sh rest           the other modules, with all features: nine of ten must be
#     ci/mutants.sh core state.rs  those in files with "state.rs" in their path
#     ci/mutants.sh core '' 2/8    the second eighth, say, to do it in parts
#     ci/mutants.sh core --list    which there are, without running anything
#
# The tests go by what they cost: first the unit tests with two thousand programs of the reference model, on what they leave
# the integration tests, and on what these leave of the core the loom models. What an earlier campaign noticed is not run
# again, unless FRESH=1 says so. Results are in the target folder, below `mutants`. ci/mutants.toml says what is left alone.
#
# Needs cargo-mutants (`cargo install cargo-mutants --locked`) and, for the models, Python 3; where one is missing a line says
# so. Two days on two cores for everything: see TESTING.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
mode=${1:-core}
if ! cargo mutants --version >/dev/null 2>&1; then
    echo 'skipped: cargo-mutants is not installed, so nothing was changed'
    exit 0
fi
mutants=(cargo mutants --config ci/mutants.toml --colors never)
case $mode in
    core) mutants+=(--file "src/core/**/*${2#--list}*") needed=100 ;;
    rest) mutants+=(--file "src/**/*${2#--list}*" --exclude 'src/core/**' --features 'process,rayon,tokio') needed=90 ;;
    *)
        echo "core or rest? ($mode)" >&2
        exit 2
        ;;
esac
if [ "${2:-}" = --list ]; then
    "${mutants[@]}" --list
    exit
fi
[ -z "${3:-}" ] || mutants+=(--shard "$3")

results=$CARGO_TARGET_DIR/mutants/$mode
[ -z "${FRESH:-}" ] || rm -rf "$results"
mkdir -p "$results"
# Each mutant compiles the crate and its tests anew: without debug information, and what does not change stays compiled.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=1
export THENABLE_MODEL_PROGRAMS=${THENABLE_MODEL_PROGRAMS:-2000}

# One stage: the mutants that no stage before it has noticed. (2 and 3: some were missed, or took too long.)
stage() {
    local status=0
    CARGO_TARGET_DIR=$CARGO_TARGET_DIR/mutants/build \
        "${mutants[@]}" --output "$results" --iterate --jobs 1 -- "$@" || status=$?
    case $status in
        0 | 2 | 3) ;;
        *) exit "$status" ;;
    esac
}

# In the second stage only what the first one has left is run, because cargo-mutants remembers what it has caught.
if [ "$mode" = core ]; then
    stage --lib --test model
    stage --test it
else
    stage --lib --test it --test model
    stage --test process --test process_main --test alloc --test auto_traits
fi

missed=$results/mutants.out/missed.txt
: >"$results/unnoticed"
if [ "$mode" = core ] && command -v python3 >/dev/null; then
    . ci/loom-mutated.sh
    prepare
    # Each missed mutant has its change as a file.
    while IFS=$'\t' read -r name change; do
        if ! (cd "$tree" && patch --quiet -p1 <"$results/mutants.out/$change"); then
            echo "$name: its change cannot be made" >&2
            exit 1
        fi
        answer=$(verdict '' "$(models_of "${name%%:*}")")
        case $answer in
            none*) echo "$name" | tee -a "$results/unnoticed" ;;
            # It is what the ordinary build compiles, too, so that this is a mutant of the model checker's build alone.
            'does not compile') echo "$name: not in loom's build" && echo "$name" >>"$results/unnoticed" ;;
            *) echo "$name: noticed by $(sed -n 1p <<<"$answer" | short)" ;;
        esac
        cp "$here/${name%%:*}" "$tree/${name%%:*}"
    done < <(python3 -c '
import json, sys
for outcome in json.load(open(sys.argv[1]))["outcomes"]:
    if outcome["summary"] == "MissedMutant":
        print(outcome["scenario"]["Mutant"]["name"], outcome["diff_path"], sep="\t")
' "$results/mutants.out/outcomes.json")
elif [ -e "$missed" ]; then
    cp "$missed" "$results/unnoticed"
fi

unnoticed=$(wc -l <"$results/unnoticed")
caught=$(cat "$results"/mutants.out/{caught,timeout,previously_caught}.txt 2>/dev/null |
    grep -e "${2:-.}" | sort -u | wc -l || true)
viable=$((caught + unnoticed))
echo "$viable mutants that compile, $unnoticed of them unnoticed ($results/unnoticed), $SECONDS s"
[ "$viable" -gt 0 ] && [ $((100 * (viable - unnoticed))) -ge $((needed * viable)) ]

#!/usr/bin/env bash
# cargo-mutants: changes the library's code in thousands of small ways, one at a time, and runs the tests on each. One that no
# test notices shows what is not tested.
#
#     ci/mutants.sh core           src/core: every mutant that compiles must be noticed
#     ci/mutants.sh rest           the other modules, with all features: nine of ten must be
#     ci/mutants.sh core state.rs  those in files with "state.rs" in their path
#     ci/mutants.sh rest '' 0/8    each eighth one, from the first (to 7/8): a sample, or one part of eight
#     ci/mutants.sh core --list    which there are, without running anything
#
# The tests go by what they cost: first the unit tests with two thousand programs of the reference model; on what they leave of
# the core the loom models; on what these leave the integration tests, and of the other modules the other tests. What an
# earlier run noticed is not run again, unless FRESH=1 says so. Results are in the target folder, below `mutants`.
# ci/mutants.toml says what is left alone. On a crowded machine tests may fail by themselves, and notice what they do not.
#
# Needs cargo-mutants (`cargo install cargo-mutants --locked`) and, for the models, Python 3; where one is missing a line says
# so. It takes long: see TESTING.md.
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
[ -z "${3:-}" ] || mutants+=(--shard "$3" --sharding round-robin)

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

# What the stages so far have left, if anything.
missed() {
    [ -s "$results/mutants.out/missed.txt" ]
}

# The loom models on what is left. What they notice is written down as if the tests had.
models() {
    local name change answer
    . ci/loom-mutated.sh
    prepare
    # Each mutant has its change as a file.
    while IFS=$'\t' read -r name change; do
        if ! (cd "$tree" && patch --quiet -p1 <"$results/mutants.out/$change"); then
            echo "$name: its change cannot be made" >&2
            return 1
        fi
        answer=$(verdict '' "$(models_of "${name%%:*}")")
        cp "$here/${name%%:*}" "$tree/${name%%:*}"
        case $answer in
            # The ordinary build compiles it, the model checker's does not have the rest of it.
            none* | 'does not compile') ;;
            *)
                echo "$name: noticed by $(sed -n 1p <<<"$answer" | short)"
                grep -vxF -e "$name" "$results/mutants.out/missed.txt" >"$results/left" || true
                mv "$results/left" "$results/mutants.out/missed.txt"
                echo "$name" >>"$results/mutants.out/caught.txt"
                ;;
        esac
    done < <(python3 -c '
import json, sys
for outcome in json.load(open(sys.argv[1]))["outcomes"]:
    if outcome["summary"] == "MissedMutant":
        print(outcome["scenario"]["Mutant"]["name"], outcome["diff_path"], sep="\t")
' "$results/mutants.out/outcomes.json")
}

# A stage runs what those before it have left, because cargo-mutants remembers what was caught.
stage --lib --test model
if [ "$mode" = core ]; then
    # In a shell of its own, for it sets flags that no other stage has.
    if missed && command -v python3 >/dev/null; then (models); fi
    # Those of the watchdog tell a blocked loop by the time, and nothing about the core.
    if missed; then stage --test it -- --skip blocked::; fi
else
    if missed; then stage --test it; fi
    if missed; then stage --test process --test process_main --test alloc; fi
fi

out=$results/mutants.out
caught=$(cat "$out"/{caught,timeout,previously_caught}.txt 2>/dev/null | grep -e "${2:-.}" | sort -u | wc -l || true)
unnoticed=$(wc -l <"$out/missed.txt")
viable=$((caught + unnoticed))
cat "$out/missed.txt"
echo "$viable mutants that compile, $unnoticed of them unnoticed, $SECONDS s"
[ "$viable" -gt 0 ] && [ $((100 * (viable - unnoticed))) -ge $((needed * viable)) ]

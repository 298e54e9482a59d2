#!/usr/bin/env bash
# cargo-mutants: changes the library's code in thousands of small ways, one at a time, and runs the tests on each. One that no
# test notices shows what is not tested.
#
#     ci/mutants.sh core           src/core: every mutant that compiles must be noticed
#     ci/mutants.sh process        src/process and src/named: nine of ten must be
#     ci/mutants.sh rest           the other modules, with all features: nine of ten must be
#     ci/mutants.sh core state.rs  those in files with "state.rs" in their path
#     ci/mutants.sh rest '' 0/8    each eighth one, from the first (to 7/8): a sample, or one part of eight
#     ci/mutants.sh core --list    which there are, without running anything
#
# The tests go by what they cost: first the unit tests with two thousand programs of the reference model; on what they leave
# the integration tests that are quick; then the others; and on what is left of the core the loom models. What an
# interrupted run noticed is not run again, unless FRESH=1 says so. Results are in the target folder, below `mutants`.
# ci/mutants.toml says what is left alone. On a crowded machine tests may fail by themselves, and notice what they do not.
#
# Needs cargo-mutants (`cargo install cargo-mutants --locked`) and, for the models, Python 3; where one is missing a line says
# so. With cargo-nextest a mutant is done with as soon as one test fails. It takes long: see TESTING.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
mode=${1:-core} only=${2:-} part=${3:-}
only=${only#--list}
if ! cargo mutants --version >/dev/null 2>&1; then
    echo 'skipped: cargo-mutants is not installed, so nothing was changed'
    exit 0
fi
mutants=(cargo mutants --config ci/mutants.toml --colors never)
! cargo nextest --version >/dev/null 2>&1 || mutants+=(--test-tool nextest)
# What a planted bug is made of is in no ordinary build.
! command -v python3 >/dev/null || while read -r planted; do
    mutants+=(--exclude-re "$planted")
done < <(find src -name '*.rs' -exec python3 ci/planted.py {} +)
case $mode in
    core) files=(--file "src/core/**/*$only*") needed=100 ;;
    process)
        files=(--file "src/process/**/*$only*" --file "src/named/**/*$only*")
        mutants+=(--features process)
        needed=90
        ;;
    rest)
        files=(--file "src/**/*$only*")
        mutants+=(--exclude 'src/{core,process,named}/**' --features 'process,rayon,tokio')
        needed=90
        ;;
    *)
        echo "core, process or rest? ($mode)" >&2
        exit 2
        ;;
esac
if [ "${2:-}" = --list ]; then
    "${mutants[@]}" "${files[@]}" --list
    exit
fi
results=$CARGO_TARGET_DIR/mutants/$mode${only:+-${only//\//_}}${part:+-${part/\//of}}
[ -z "${FRESH:-}" ] || rm -rf "$results"
mkdir -p "$results"
: >"$results/noticed"
# Each mutant compiles the crate and its tests anew: without debug information, and what does not change stays compiled.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 CARGO_INCREMENTAL=1
export THENABLE_MODEL_PROGRAMS=${THENABLE_MODEL_PROGRAMS:-2000}

# The first stage runs every mutant, or those of one part, and each further one what those before it have left. Its number
# names its folder; `left` is what it leaves. What stands before `--` says which tests are built and run, what stands after it
# how they run.
stage() {
    local number=$1 status=0 which=() targets=() name
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        # For the build too, which builds all tests otherwise.
        targets+=("--cargo-arg=$1")
        shift
    done
    if [ "$number" -eq 1 ]; then
        # A part is run as a whole; otherwise what an interrupted run has done counts.
        which=("${files[@]}")
        if [ -n "$part" ]; then which+=(--shard "$part" --sharding round-robin); else which+=(--iterate); fi
    else
        while read -r name; do
            # shellcheck disable=SC2001 # it is a class of characters
            which+=(--re "^$(sed 's/[][\.*+?(){}|^$&]/\\&/g' <<<"$name")\$")
        done <"$results/left"
        [ "${#which[@]}" -gt 0 ] || return 0
        # Those that leave out a field of a table are run whatever is asked for, in these files.
        while read -r name; do
            which+=(--file "$name")
        done < <(cut -d: -f1 "$results/left" | sort -u)
    fi
    mkdir -p "$results/$number"
    # What does not compile is no mutant, and an interrupted run's list of that would go.
    cat "$results/$number/mutants.out/unviable.txt" >>"$results/unviable" 2>/dev/null || true
    # 2 and 3: some were missed, or took too long.
    CARGO_TARGET_DIR=$CARGO_TARGET_DIR/mutants/build \
        "${mutants[@]}" "${which[@]}" --output "$results/$number" --jobs 1 "${targets[@]}" -- "$@" || status=$?
    case $status in
        0 | 2 | 3) ;;
        *) exit "$status" ;;
    esac
    cat "$results/$number"/mutants.out/{caught,timeout,previously_caught}.txt >>"$results/noticed" 2>/dev/null || true
    cat "$results/$number/mutants.out/unviable.txt" >>"$results/unviable"
    cp "$results/$number/mutants.out/missed.txt" "$results/left"
}

# The loom models on what the tests have left.
models() {
    local name change answer
    . ci/loom-mutated.sh
    prepare
    # Each mutant has its change as a file.
    while IFS=$'\t' read -r name change; do
        grep -qxF -e "$name" "$results/left" || continue
        if ! patch --quiet "$tree/${name%%:*}" <"$results/1/mutants.out/$change"; then
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
                grep -vxF -e "$name" "$results/left" >"$results/still" || true
                mv "$results/still" "$results/left"
                echo "$name" >>"$results/noticed"
                ;;
        esac
    done < <(python3 -c '
import json, sys
for outcome in json.load(open(sys.argv[1]))["outcomes"]:
    if outcome["summary"] == "MissedMutant":
        print(outcome["scenario"]["Mutant"]["name"], outcome["diff_path"], sep="\t")
' "$results/1/mutants.out/outcomes.json")
}

quick=(--skip blocked:: --skip stress --skip million --skip _is_flat --skip combinators::many --skip thousand)
case $mode in
    core)
        stage 1 --lib --test model
        stage 2 --test it -- "${quick[@]}"
        # The watchdog's tests tell a blocked loop by the time, and nothing about the core.
        stage 3 --test it --test leaks --test alloc --test children -- --skip blocked::
        # In a shell of its own, for it sets flags that no stage has.
        if [ -s "$results/left" ] && command -v python3 >/dev/null; then (models); fi
        ;;
    process)
        # Where a worker does not answer, a test of the second stage waits for its limit: the first one sees most of that.
        stage 1 --lib
        stage 2 --test process
        stage 3 --test it -- "${quick[@]}"
        ;;
    rest)
        stage 1 --lib --test model
        stage 2 --test it -- "${quick[@]}"
        stage 3 --test it --test leaks --test alloc --test foreign_pools --test process
        ;;
esac

noticed=$(sort -u "$results/noticed" | grep -cvxF -f "$results/unviable" || true)
unnoticed=$(wc -l <"$results/left")
viable=$((noticed + unnoticed))
cat "$results/left"
echo "$viable mutants that compile, $unnoticed of them unnoticed, $SECONDS s"
[ "$viable" -gt 0 ] && [ $((100 * noticed)) -ge $((needed * viable)) ]

#!/usr/bin/env bash
# Weakens each memory ordering of the core by one step, one at a time, and runs the loom models until one notices.
#
#     ci/loom-orderings.sh            all of them
#     ci/loom-orderings.sh queue.rs   those in files with "queue.rs" in their path
#     ci/loom-orderings.sh --list     which there are, without running anything
#
# One that no model notices must be argued for: the comment above it says `ORDERING: .. not visible to loom: ..` and why the
# ordering is needed all the same. Without that the script fails. Orderings that loom's build does not have need it as well.
#
# The cheapest models go first, and before them the one that noticed the last weakening of the same file. What was found is
# kept by the code of the core (comments do not count), so that a campaign that was interrupted goes on where it stood; a
# change of the core or of a model begins a new one. ORDERINGS_FRESH=1 forgets what was kept, ORDERINGS_JOBS says how many
# models run at once (all cores), ORDERINGS_SECONDS how long one may run (300).
#
# Needs Python 3, without which nothing is run, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! command -v python3 >/dev/null; then
    echo 'skipped: python3 is not installed, so no ordering was weakened'
    exit 0
fi
here=$PWD
jobs=${ORDERINGS_JOBS:-$(nproc)}
export LIMIT=${ORDERINGS_SECONDS:-300}

shopt -s globstar
files=()
for file in src/core/**/*.rs src/primitive.rs; do
    case $file in
        */models/* | */tests.rs | */budgets.rs) ;;
        *) files+=("$file") ;;
    esac
done
if [ "${1:-}" = --list ]; then
    "$here/ci/orderings.py" list "${files[@]}"
    exit
fi
mapfile -t weakenings < <("$here/ci/orderings.py" list "${files[@]}" | grep -e "${1:-.}" || true)
if [ "${#weakenings[@]}" -eq 0 ]; then
    echo "no ordering to weaken in files with \"${1:-}\" in their path" >&2
    exit 1
fi

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/loom
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
# As in ci/loom-plants.sh, but incremental: the same crate is compiled over and over.
export CARGO_PROFILE_TEST_OPT_LEVEL=3 CARGO_PROFILE_DEV_OPT_LEVEL=3 CARGO_INCREMENTAL=1
export CARGO_PROFILE_TEST_DEBUG=0 CARGO_PROFILE_DEV_DEBUG=0
kept=$CARGO_TARGET_DIR/orderings/kept
tree=$CARGO_TARGET_DIR/orderings/tree
work=$CARGO_TARGET_DIR/orderings/work
[ -z "${ORDERINGS_FRESH:-}" ] || rm -rf "$kept"
rm -rf "$tree" "$work"
mkdir -p "$kept" "$tree" "$work"
export WORK=$work

# A copy to change. The manifest names some of the examples and tests.
cp -r Cargo.toml src examples tests README.md "$tree"
[ ! -f Cargo.lock ] || cp Cargo.lock "$tree"
cd "$tree"

build() {
    cargo rustc --quiet --lib --profile test --message-format=json 2>"$work/build.log" |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1
}

# Runs one model: nothing if it passes, what it says if it does not.
model() {
    local name=$1 status=0 start=${EPOCHREALTIME/./}
    [ ! -e "$WORK/noticed" ] || return 0
    # A process group of its own, by which it can be ended.
    setsid timeout "$LIMIT" "$EXE" --exact "$name" --test-threads=1 >"$WORK/$name.log" 2>&1 &
    echo $! >"$WORK/$name.pid"
    wait $! || status=$?
    rm -f "$WORK/$name.pid"
    case $status in
        0) echo "$((${EPOCHREALTIME/./} - start)) $name" >>"$WORK/times" ;;
        124) echo "$name" >>"$WORK/late" ;;
        *)
            if mkdir "$WORK/noticed" 2>/dev/null; then
                echo "$name" >"$WORK/noticed/by"
                cp "$WORK/$name.log" "$WORK/noticed/log"
                # Nobody needs the others' answers.
                for other in "$WORK"/*.pid; do
                    [ ! -e "$other" ] || kill -- "-$(cat "$other")" 2>/dev/null || true
                done
            fi
            ;;
    esac
}
export -f model

# Runs the models, the given one first, until one notices.
search() {
    rm -rf "$work/noticed" "$work/late" "$work/times"
    { [ -z "$1" ] || echo "$1"; grep -vxF -e "${1:-none}" "$work/order"; } |
        xargs -P "$jobs" -I '{}' bash -c 'model "$1"' model '{}' 2>/dev/null
}

short() {
    sed -E 's/.*loom_m([0-9]+)_.*/M\1/' "$1" | sort -u | paste -sd ' '
}

# The models as they are: they pass, and their times say which go first.
code=$("$here/ci/orderings.py" digest src/core/models/*.rs "${files[@]}")
EXE=$(build)
export EXE
[ -n "$EXE" ] || { cat "$work/build.log"; exit 1; }
if [ ! -e "$kept/order-$code" ]; then
    "$EXE" --list loom | sed -n 's/: test$//p' >"$work/order"
    search ''
    if [ -e "$work/noticed" ] || [ -e "$work/late" ]; then
        echo 'the models fail, or take too long, on the core as it is' >&2
        cat "$work/noticed/log" "$work/late" 2>/dev/null || true
        exit 1
    fi
    sort -n "$work/times" | cut -d' ' -f2 >"$kept/order-$code"
fi
cp "$kept/order-$code" "$work/order"

bad=0
noticed=0
declare -A last=()
echo 'file:line | operation | from -> to | noticed by'
for weakening in "${weakenings[@]}"; do
    IFS=$'\t' read -r file line column operation from to seen argued <<<"$weakening"
    result=''
    if [ "$seen" = no ]; then
        result='not in the loom build'
    else
        "$here/ci/orderings.py" mutate "$file" "$line" "$column" "$from" "$to"
        key=$kept/$("$here/ci/orderings.py" digest src/core/models/*.rs "${files[@]}")
        if [ ! -e "$key" ]; then
            EXE=$(build)
            if [ -z "$EXE" ]; then
                cat "$work/build.log"
                exit 1
            fi
            search "${last[$file]:-}"
            if [ -e "$work/noticed" ]; then
                {
                    cat "$work/noticed/by"
                    grep -A1 -m1 'panicked at' "$work/noticed/log" | tail -1 || true
                } >"$key.new"
            else
                { echo 'none'; [ ! -e "$work/late" ] || echo "no answer in $LIMIT s: $(short "$work/late")"; } >"$key.new"
            fi
            mv "$key.new" "$key"
        fi
        found=$(head -1 "$key")
        if [ "$found" = none ]; then
            result="not noticed$(sed -n '2s/^/, /p' "$key")"
        else
            result="noticed by $(head -1 "$key" | short /dev/stdin): $(sed -n 2p "$key" | cut -c1-80)"
            last[$file]=$found
            noticed=$((noticed + 1))
        fi
        cp "$here/$file" "$file"
    fi
    if [[ $result == "not "* ]]; then
        if [ "$argued" = argued ]; then
            result+=', argued for'
        else
            result+=', and NOT ARGUED FOR'
            bad=$((bad + 1))
        fi
    fi
    echo "$file:$line | $operation | $from -> $to | $result"
done
echo "${#weakenings[@]} weakenings, $noticed noticed, $bad neither noticed nor argued for, $SECONDS s"
[ "$bad" -eq 0 ]

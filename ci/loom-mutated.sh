# shellcheck shell=bash
# To be sourced: a copy of the tree that is changed again and again, and the loom models on it until one fails. For
# `ci/loom-orderings.sh` and `ci/mutants.sh`, which run on the repository's root and say where `CARGO_TARGET_DIR` is.
#
# Gives `tree` (the copy), `kept` (what may be remembered), `build` and `search`. JOBS models run at once (all cores), each
# for LIMIT seconds at most (300).

export LIMIT=${LIMIT:-300}
export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/loom
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
# As in ci/loom-plants.sh, but incremental: the same crate is compiled over and over.
export CARGO_PROFILE_TEST_OPT_LEVEL=3 CARGO_PROFILE_DEV_OPT_LEVEL=3 CARGO_INCREMENTAL=1
export CARGO_PROFILE_TEST_DEBUG=0 CARGO_PROFILE_DEV_DEBUG=0
here=$PWD
kept=$CARGO_TARGET_DIR/mutated/kept
tree=$CARGO_TARGET_DIR/mutated/tree
export WORK=$CARGO_TARGET_DIR/mutated/work

rm -rf "$tree" "$WORK"
mkdir -p "$kept" "$tree" "$WORK"
# The manifest names some of the examples and tests.
cp -r Cargo.toml src examples tests README.md "$tree"
[ ! -f Cargo.lock ] || cp Cargo.lock "$tree"

# Cargo knows a crate below the target folder by its place there, and would take a former copy's program for this one's.
rm -rf "$CARGO_TARGET_DIR"/debug/.fingerprint/thenable-*

shopt -s globstar
# The code that the models run: a hash of it tells whether something is remembered of the very same.
core() {
    (cd "$tree" && "$here/ci/orderings.py" digest src/core/**/*.rs src/primitive.rs)
}

# Compiles the copy; prints the program's path, or nothing if it does not compile.
build() {
    (cd "$tree" && cargo rustc --quiet --lib --profile test --message-format=json 2>"$WORK/build.log" |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -1)
}

# Runs one model: nothing if it passes, what it says if it does not.
model() {
    local name=$1 status=0 start=${EPOCHREALTIME/./} other
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
                grep -A1 -m1 'panicked at' "$WORK/$name.log" | tail -1 >"$WORK/noticed/why" || true
                # Nobody needs the others' answers.
                for other in "$WORK"/*.pid; do
                    [ ! -e "$other" ] || kill -- "-$(cat "$other")" 2>/dev/null || true
                done
            fi
            ;;
    esac
}
export -f model

# Runs the models of the program EXE, the given one first and then the cheapest, until one fails; with a second argument
# those that match it. Prints which, and what it says; or `none`, and which ones have not answered in time.
search() {
    rm -rf "$WORK/noticed" "$WORK/late" "$WORK/times"
    # shellcheck disable=SC2016 # it is the inner shell's
    { [ -z "${1:-}" ] || echo "$1"; grep -vxF -e "${1:-none}" "$WORK/order" | grep -E -e "${2:-.}"; } |
        xargs -P "${JOBS:-$(nproc)}" -I '{}' bash -c 'model "$1"' model '{}' 2>/dev/null
    if [ -e "$WORK/noticed" ]; then
        cat "$WORK/noticed/by" "$WORK/noticed/why"
    else
        echo none
        [ ! -e "$WORK/late" ] || echo "no answer in $LIMIT s: $(short <"$WORK/late")"
    fi
}

# The names of models, as in TESTING.md.
short() {
    sed -E 's/.*loom_m([0-9]+)_.*/M\1/' | sort -u | paste -sd ' '
}

# The models on the code as it is: they pass, and their times say which go first.
prepare() {
    local order
    order=$kept/order-$(core)
    if [ ! -e "$order" ]; then
        EXE=$(build)
        export EXE
        [ -n "$EXE" ] || { cat "$WORK/build.log" >&2; return 1; }
        "$EXE" --list loom | sed -n 's/: test$//p' >"$WORK/order"
        if [ "$(search)" != none ]; then
            echo 'the models fail, or take too long, on the code as it is' >&2
            cat "$WORK/noticed"/* "$WORK/late" >&2 2>/dev/null || true
            return 1
        fi
        sort -n "$WORK/times" | cut -d' ' -f2 >"$order"
    fi
    cp "$order" "$WORK/order"
}

# The models that a file's code runs in, where they are few.
models_of() {
    case $1 in
        src/core/adopt.rs) echo 'm1[01]' ;;
        src/core/gather.rs | src/core/takeable.rs) echo 'm(18|20)' ;;
        src/core/notice.rs) echo 'm19' ;;
        src/core/pages.rs) echo 'm21' ;;
        *) echo . ;;
    esac
}

# What the models say of the changed copy: from memory, or by running them. The arguments are those of `search`.
verdict() {
    local key
    key=$kept/$(core)
    if [ ! -e "$key" ]; then
        touch "$WORK/begin"
        EXE=$(build)
        export EXE
        if [ -n "$EXE" ] && [ ! "$EXE" -nt "$WORK/begin" ]; then
            echo 'the changed code was not compiled' >&2
            return 1
        fi
        if [ -n "$EXE" ]; then search "${1:-}" "${2:-}" >"$key.new"; else echo 'does not compile' >"$key.new"; fi
        mv "$key.new" "$key"
    fi
    cat "$key"
}

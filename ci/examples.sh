#!/usr/bin/env bash
# The examples do what they say: most print what is written down, `checksums` agrees with sha256sum byte for byte,
# `cpu_pools` prints each item once in each of its three ways.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
export LC_ALL=C

# What they print is written down beside them.
written=(tour ring state_machine three_tasks two_futures)

cargo build --example checksums "${written[@]/#/--example=}"
checksums=$CARGO_TARGET_DIR/debug/examples/checksums
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "$1" >&2
    exit 1
}

# What sha256sum says of the files below the paths, in the order that checksums promises.
expected() {
    local path
    for path in "$@"; do
        find "$path" -type f -print0 | sort -z | xargs -0 -r sha256sum
    done
}

# Runs a command that must end with the given status; its output is in $work/out and $work/err.
run() {
    local wanted=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq "$wanted" ] || fail "status $status instead of $wanted: $* ($(cat "$work/err"))"
}

for example in "${written[@]}"; do
    echo "$example: three times the lines of examples/$example.out"
    for _ in 1 2 3; do
        run 0 "$CARGO_TARGET_DIR/debug/examples/$example"
        diff -u "examples/$example.out" "$work/out"
        [ ! -s "$work/err" ] || fail "$example on standard error: $(cat "$work/err")"
    done
done

for example in rayon tokio; do
    echo "$example: the lines of examples/$example.out"
    cargo build --features "$example" --example "$example"
    # On standard error is the message of the panic that it provokes.
    run 0 "$CARGO_TARGET_DIR/debug/examples/$example"
    diff -u "examples/$example.out" "$work/out"
done

echo 'checksums: this repository'
here=(.ci ci examples src tests Cargo.toml README.md)
expected "${here[@]}" >"$work/expected"
run 0 "$checksums" "${here[@]}"
cmp "$work/expected" "$work/out"

echo 'checksums: 20,000 small files, and names that are hard to print'
tree=$work/tree
mkdir -p "$tree"/{a,b/.hidden,c/d/e/f}
for directory in $(seq 100); do
    mkdir "$tree/$directory"
    for file in $(seq 200); do
        echo "$directory $file" >"$tree/$directory/$file"
    done
done
for name in 'a.b' 'a-b' 'a/x' '.hidden' 'b/.hidden/x' 'c/d/e/f/x' 'two words' '-dash' 'back\slash' $'line\nend' \
    $'carriage\rreturn' $'all\\\r\n' $'not utf-8 \xff\xfe' 'größe'; do
    printf '%s' "$name" >"$tree/$name"
done
: >"$tree/empty"
head -c 5000000 /dev/zero >"$tree/large"
expected "$tree" >"$work/expected"
for options in '' '--jobs 1 --open 1' '--jobs 8 --open 3' '--jobs 3 --open 1000'; do
    # shellcheck disable=SC2086 # the options are words
    run 0 "$checksums" $options "$tree"
    cmp "$work/expected" "$work/out" || fail "other than sha256sum with options: $options"
    [ ! -s "$work/err" ] || fail "checksums on standard error: $(cat "$work/err")"
done
sha256sum --check --quiet "$work/out"

echo 'checksums: --open bounds the open files'
(ulimit -n 48 && run 0 "$checksums" --jobs 8 --open 16 "$tree" && cmp "$work/expected" "$work/out")

echo 'checksums: links and special files are skipped, a link that is named is followed'
odd=$work/odd
mkdir -p "$odd/real"
echo text >"$odd/real/file"
ln -s real "$odd/link"
ln -s real/file "$odd/file-link"
mkfifo "$odd/pipe"
expected "$odd" >"$work/expected"
run 0 "$checksums" "$odd"
cmp "$work/expected" "$work/out"
[ "$(wc -l <"$work/err")" -eq 3 ] || fail "three notes expected: $(cat "$work/err")"
run 0 "$checksums" --quiet "$odd"
[ ! -s "$work/err" ] || fail "--quiet on standard error: $(cat "$work/err")"
sha256sum "$odd/link/file" "$odd/file-link" >"$work/expected"
run 0 "$checksums" "$odd/link" "$odd/file-link"
cmp "$work/expected" "$work/out"

echo 'checksums: what cannot be read is listed and stops nothing else'
sha256sum "$odd/real/file" >"$work/expected"
run 1 "$checksums" "$work/missing" "$odd/real" "$work/missing too"
cmp "$work/expected" "$work/out"
printf 'checksums: %s: No such file or directory (os error 2)\n' "$work/missing" "$work/missing too" >"$work/expected"
cmp "$work/expected" "$work/err"
if [ -e /proc/self/mem ]; then # it opens, and fails to be read
    run 1 "$checksums" /proc/self/mem Cargo.toml
    sha256sum Cargo.toml | cmp - "$work/out"
    grep -q '^checksums: /proc/self/mem: ' "$work/err"
fi

echo 'checksums: arguments that make no sense'
run 2 "$checksums"
run 2 "$checksums" --jobs 0 .
run 2 "$checksums" --open many .
run 2 "$checksums" --unknown .
run 0 "$checksums" --help

echo 'checksums: a reader that leaves is no error'
set +o pipefail
"$checksums" "$tree" 2>"$work/err" | head -n 1 >/dev/null
status=${PIPESTATUS[0]}
set -o pipefail
[ "$status" -eq 0 ] || fail "status $status after a broken pipe"
[ ! -s "$work/err" ] || fail "after a broken pipe: $(cat "$work/err")"

echo 'cpu_pools: each item once, in each of three ways'
cargo build --features process --example cpu_pools
cpu_pools=$CARGO_TARGET_DIR/debug/examples/cpu_pools
run 0 "$cpu_pools" --iterations 1000000
[ ! -s "$work/err" ] || fail "cpu_pools on standard error: $(cat "$work/err")"
for item in $(seq 10); do echo "Item $item, result ${item}000000"; done | sort >"$work/expected"
for name in Sequential 'Thread Pool' 'Process Pool'; do
    # Its lines are those between the time of the one before and its own.
    sed "/^$name Execution in [0-9]*\.[0-9]* seconds\$/q" "$work/out" >"$work/until"
    tail -n 1 "$work/until" | grep -q "^$name Execution" || fail "no time of: $name"
    tail -n 11 "$work/until" | head -n 10 | sort | cmp "$work/expected" - || fail "other items: $name"
done
[ "$(grep -c '^Item' "$work/out")" -eq 30 ] || fail 'more than thirty items'
grep -q '^N = 1000000 iterations' "$work/out"
run 2 "$cpu_pools" --workers 0
run 2 "$cpu_pools" --iterations many
run 0 "$cpu_pools" --help
if command -v script >/dev/null; then # a terminal, where there is a progress bar, and lines are whole as well
    script -qec "$cpu_pools --iterations 1000" /dev/null >"$work/out" </dev/null
    grep -q 'processes *\[=*\] 10/10' "$work/out" || fail 'no progress bar on a terminal'
    [ "$(tr '\r' '\n' <"$work/out" | grep -Ec '^(.\[2K)?Item [0-9]+, result [0-9]+000$')" -eq 30 ] || fail 'broken lines'
fi

#!/usr/bin/env bash
# The public interface, with all features and which auto traits each type has, is the one that is written down in
# tests/api/public-api.txt: a change of it is seen in review, and cannot happen by accident.
#
#     ci/public-api.sh           compares
#     ci/public-api.sh --bless   rewrites the file
#
# rustdoc's JSON differs from compiler to compiler, and so does what is read from it: the file is compared with the
# compiler that it names, and with any other nothing is done, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
committed=tests/api/public-api.txt
compiler=$(rustc --version | cut -d ' ' -f 1-2)

written=$(sed -n '1s/^# //p' "$committed" 2>/dev/null || true)
if [ "${1:-}" != --bless ] && [ "$written" != "$compiler" ]; then
    echo "skipped: $committed is of $written, and this is $compiler"
    exit 0
fi
if ! cargo build --quiet --manifest-path tests/surface/Cargo.toml; then
    echo 'skipped: the tool in tests/surface could not be built'
    exit 0
fi
# JSON is not stable yet; the listing is.
RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --lib --all-features -- -Zunstable-options --output-format json
listing=$(mktemp)
trap 'rm -f "$listing"' EXIT
{
    echo "# $compiler"
    # Two auto traits are the compiler's own affair.
    "$CARGO_TARGET_DIR/debug/thenable-surface" "$CARGO_TARGET_DIR/doc/thenable.json" |
        grep -vE '^impl.* core::marker::(Freeze|UnsafeUnpin) for '
} >"$listing"
if [ "${1:-}" = --bless ]; then
    cp "$listing" "$committed"
    echo "$(wc -l <"$committed") lines in $committed"
elif diff -u "$committed" "$listing"; then
    echo "$(($(wc -l <"$committed") - 1)) items, as written down"
else
    echo "the public interface has changed: ci/public-api.sh --bless, and a word in CHANGELOG.md" >&2
    exit 1
fi

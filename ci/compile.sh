#!/usr/bin/env bash
# What must not compile does not: each program in tests/compile/ui fails with the error that its first line names, on any
# compiler. The messages are compared on the one compiler that tests/compile/compiler names, because they differ from one
# to the next.
#
#     ci/compile.sh           checks
#     ci/compile.sh --bless   writes the messages down, and the compiler
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/compile
compiler=$(rustc --version | cut -d ' ' -f 1-2)

if [ "${1:-}" = --bless ]; then
    echo "$compiler" >tests/compile/compiler
    rm -f tests/compile/ui/*.stderr
    export TRYBUILD=overwrite
fi
if [ "$(cat tests/compile/compiler)" = "$compiler" ]; then
    export THENABLE_COMPARE_MESSAGES=1
else
    echo "messages are compared on $(cat tests/compile/compiler) only, and this is $compiler"
fi
cargo test --quiet --manifest-path tests/compile/Cargo.toml

#!/usr/bin/env bash
# Which lines of the library its tests run: a table of the files, and how much of all of them. A line that no test runs is not
# tested; one that a test runs may still not be, which is what ci/mutants.sh is for.
#
#     ci/coverage.sh          the table
#     ci/coverage.sh --html   the lines themselves, below target/llvm-cov/html
#
# What workers and other child processes run counts, unless they are killed or exit at once. Needs cargo-llvm-cov
# (`cargo install cargo-llvm-cov --locked`) and rustup's `llvm-tools`; where one is missing nothing is run, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! cargo llvm-cov --version >/dev/null 2>&1; then
    echo 'skipped: cargo-llvm-cov is not installed, so nothing was run'
    exit 0
fi
if [ ! -x "$(rustc --print target-libdir)/../bin/llvm-profdata" ]; then
    echo 'skipped: llvm-tools are not installed (`rustup component add llvm-tools`), so nothing was run'
    exit 0
fi
export THENABLE_MODEL_PROGRAMS=${THENABLE_MODEL_PROGRAMS:-2000}
# Everything is slower.
export THENABLE_TIME_SCALE=${THENABLE_TIME_SCALE:-4}
report=(--summary-only)
[ "${1:-}" != --html ] || report=(--html)
# Unit tests and models count as the library otherwise; a worker that was killed leaves half a file.
cargo llvm-cov --failure-mode all --all-features --lib --test it --test model --test children --test foreign_pools --test process "${report[@]}" \
    --ignore-filename-regex '(/tests?/|/tests\.rs|/models/|budgets\.rs)'

#!/usr/bin/env bash
# The tests under AddressSanitizer with its leak detector, twice: with each block from the allocator, so that every touch of
# freed memory shows, and with the pages that the library really uses.
#
#     ci/sanitize.sh           unit and integration tests
#     ci/sanitize.sh pool::    those with "pool::" in their path
#
# Needs a nightly toolchain; without one nothing is run, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo 'skipped: there is no nightly toolchain, so nothing was run'
    exit 0
fi
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
base="${RUSTFLAGS:-} -Zsanitizer=address"
# The standard library that rustup installs is not built with the sanitizer, which newer compilers remark on.
if rustc +nightly -C help 2>/dev/null | grep -q unsafe-allow-abi-mismatch; then
    base+=" -Cunsafe-allow-abi-mismatch=sanitizer"
fi
# Everything is slower, and the tests in which memory must stay flat cannot look at an allocator that keeps what is freed.
export THENABLE_TIME_SCALE=${THENABLE_TIME_SCALE:-10}
for blocks in '--cfg thenable_no_reuse' ''; do
    echo "blocks: ${blocks:-from pages}"
    RUSTFLAGS="$base $blocks" CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/sanitize \
        cargo +nightly test --target "$host" --lib --test it -- "$@"
done

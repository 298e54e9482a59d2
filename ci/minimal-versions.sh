#!/usr/bin/env bash
# The library works with the oldest version of each dependency that Cargo.toml allows: it builds with all features, and its
# unit tests pass. In a copy of the tree, so that Cargo.lock stays as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/minimal
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar -c Cargo.toml README.md src examples tests/alloc.rs tests/auto_traits.rs tests/http_server.rs tests/model.rs tests/model \
    tests/it tests/children tests/process tests/process_main.rs | tar -x -C "$copy"
cd "$copy"
# The resolver's option is not stable yet, and what it gives is no different on a stable compiler.
RUSTC_BOOTSTRAP=1 cargo generate-lockfile --quiet -Z direct-minimal-versions
cargo tree --all-features --depth 1 --edges normal,dev --prefix none | tail -n +2
cargo build --quiet --lib --all-features
cargo test --quiet --lib --all-features

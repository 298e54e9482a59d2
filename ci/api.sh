#!/usr/bin/env bash
# The usages in tests/api compile as they stand. They are a package of their own, for the sake of dependencies that the
# library's own tests do without.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
cargo check --manifest-path tests/api/Cargo.toml

#!/usr/bin/env bash
# The library compiles with every combination of features, where panics abort, and on the oldest Rust that it promises if that
# is installed; the tests compile with some of them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for features in {'',named-jobs,process}' '{'',tokio}' '{'',rayon}; do
    echo "features: ${features:-none}"
    cargo check --lib --features "$features"
done

# The tests with some features; with none and with all, clippy sees them.
for feature in named-jobs process tokio,rayon; do
    echo "tests with: $feature"
    cargo check --tests --features "$feature"
done

# Panics end the process then, but it compiles. The flag is for this crate alone.
echo 'panic = "abort"'
cargo rustc --lib --all-features -- -C panic=abort

oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
if command -v rustup >/dev/null && rustup toolchain list | grep -q "^${oldest}[.-]"; then
    echo "Rust $oldest"
    toolchain=$(rustup toolchain list | grep -m 1 "^${oldest}[.-]" | cut -d ' ' -f 1)
    cargo "+$toolchain" check --lib --all-features
else
    echo "Rust $oldest is not installed: not checked with it"
fi

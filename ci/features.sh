#!/usr/bin/env bash
# The library compiles with every combination of features, and on the oldest Rust that it promises if that is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for features in {'',named-jobs,process}' '{'',tokio}' '{'',rayon}; do
    echo "features: ${features:-none}"
    cargo check --lib --features "$features"
done

oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
if command -v rustup >/dev/null && rustup toolchain list | grep -q "^$oldest[.-]"; then
    echo "Rust $oldest"
    toolchain=$(rustup toolchain list | grep -m 1 "^$oldest[.-]" | cut -d ' ' -f 1)
    cargo "+$toolchain" check --lib --all-features
else
    echo "Rust $oldest is not installed: not checked with it"
fi

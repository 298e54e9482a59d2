#!/usr/bin/env bash
# Runs the core's models under loom: every interleaving of two threads, and those of three with at most three preemptions.
# Each says how many executions that were.
#
#     ci/loom.sh                          all models
#     ci/loom.sh NAME                     those with NAME in their path
#     LOOM_MAX_PREEMPTIONS=2 ci/loom.sh   a narrower search, the same for all
#
# A model is a unit test that has "loom" in its path. The flag goes to every crate of the build, so this build leaves out
# the dependencies that do not compile with it, and has a folder of its own. That a model can fail at all is shown by
# `ci/loom-plants.sh`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/loom
export RUSTFLAGS="${RUSTFLAGS:-} --cfg loom"
name=${1:-loom}

count=$(cargo test --profile loom --lib "$name" -- --list | grep -c ': test$' || true)
if [ "$count" -eq 0 ]; then
    echo "no model has \"$name\" in its path" >&2
    exit 1
fi
# Loom's own threads are enough: one model at a time.
cargo test --profile loom --lib "$name" -- --test-threads=1

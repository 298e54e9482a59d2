#!/usr/bin/env bash
# What is built in: licences, sources, and versions that must not be used (deny.toml), without the network; and SECURITY.md
# names every advisory of our dependencies that a local copy of the advisory database knows.
#
#     ci/supply-chain.sh                            licences, bans, sources
#     ADVISORY_DB=path/to/advisory-db ci/supply-chain.sh   and the advisories in that git repository
#
# Where cargo-deny is missing (`cargo install cargo-deny`) that part is skipped, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if cargo deny --version >/dev/null 2>&1; then
    cargo deny --offline check bans licenses sources
else
    echo 'skipped: cargo-deny is not installed (cargo install cargo-deny)'
fi

# Each floor that SECURITY.md counts on stands in Cargo.toml, and the lock file keeps it.
locked() { sed -n "/^name = \"$1\"\$/{n;s/^version = \"\(.*\)\"\$/\1/p}" Cargo.lock | sort -V | head -n 1; }
floor() {
    local version
    version=$(locked "$1")
    [ -z "$version" ] || [ "$(printf '%s\n' "$2" "$version" | sort -V | head -n 1)" = "$2" ] || {
        echo "$1 $version is older than $2" >&2
        exit 1
    }
}
grep -q '^async-executor = "1\.14\.1"' Cargo.toml || { echo 'the floor of async-executor is gone from Cargo.toml' >&2; exit 1; }
floor async-executor 1.14.1
floor slab 0.4.11
floor crossbeam-epoch 0.9.20
floor event-listener 5.4.2
floor tokio 1.44.2

if [ -z "${ADVISORY_DB:-}" ]; then
    echo 'advisories: only those of SECURITY.md (set ADVISORY_DB to look for newer ones)'
    exit 0
fi
missing=0
for crate in $(cargo tree --edges normal --all-features --target all --prefix none | cut -d ' ' -f 1 | sort -u); do
    for file in $(git -C "$ADVISORY_DB" ls-tree --name-only HEAD "crates/$crate/"); do
        id=$(basename "$file" .md)
        grep -q "$id" SECURITY.md || { echo "$crate: $id is not in SECURITY.md" >&2; missing=1; }
    done
done
[ "$missing" -eq 0 ] && echo "every advisory of the tree as of $(git -C "$ADVISORY_DB" log -1 --format=%cs) is in SECURITY.md"
exit "$missing"

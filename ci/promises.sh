#!/usr/bin/env bash
# Each promise of the README has a row in TESTING.md, and each test that is named there exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

promises=$(sed -n '/^## What it promises/,/^## /p' README.md | grep -c '^- ')
rows=$(sed -n '/^<!-- promises -->/,/^<!-- \/promises -->/p' TESTING.md | grep -c '^| ')
if [ "$rows" -ne "$((promises + 1))" ]; then # and the heading
    echo "the README promises $promises things, and TESTING.md has $((rows - 1)) rows for them" >&2
    exit 1
fi

listed=$(mktemp)
trap 'rm -f "$listed"' EXIT
cargo test --quiet --test it --test children --test model --test alloc --test auto_traits -- --list --format terse |
    sed -n 's/: test$//p' >"$listed"
# The models are listed by their source: their build has a folder of its own.
grep -rhoE 'fn loom_\w+' src/core/models | cut -d ' ' -f 2 >>"$listed"

count=0
missing=0
while read -r name; do
    count=$((count + 1))
    grep -qxF "$name" "$listed" || { echo "TESTING.md names $name, and there is no such test" >&2; missing=1; }
done < <(sed -n '/^<!-- \(more \)\?promises -->/,/^<!-- \/\(more \)\?promises -->/p' TESTING.md | grep '^| ' | cut -d '|' -f 3 |
    grep -oE '`[a-z0-9_:]+`' | tr -d '`' | sort -u)
[ "$missing" -eq 0 ] && [ "$count" -gt 30 ] && echo "$count tests, all there, for $promises promises of the README and more"

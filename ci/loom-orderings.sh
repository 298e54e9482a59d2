#!/usr/bin/env bash
# Weakens each memory ordering of the core by one step, one at a time, and runs the loom models until one notices.
#
#     ci/loom-orderings.sh            all of them
#     ci/loom-orderings.sh queue.rs   those in files with "queue.rs" in their path
#     ci/loom-orderings.sh --list     which there are, without running anything
#
# One that no model notices must be argued for: the comment above it says `ORDERING: .. not visible to loom: ..` and why the
# ordering is needed all the same. Without that the script fails. Orderings that loom's build does not have need it as well.
#
# The cheapest models go first, and before them the one that noticed the last weakening of the same file; where few models run
# a file's code, those alone. What was found is
# kept by the code of the core (comments do not count), so that a campaign that was interrupted goes on where it stood; a
# change of the core or of a model begins a new one. FRESH=1 forgets what was kept, JOBS says how many models run at once
# (all cores), LIMIT how many seconds one may run (300).
#
# Needs Python 3, without which nothing is run, and a line says so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if ! command -v python3 >/dev/null; then
    echo 'skipped: python3 is not installed, so no ordering was weakened'
    exit 0
fi
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}

shopt -s globstar
files=()
for file in src/core/**/*.rs src/primitive.rs; do
    case $file in
        */models/* | */tests.rs | */budgets.rs) ;;
        *) files+=("$file") ;;
    esac
done
if [ "${1:-}" = --list ]; then
    ci/orderings.py list "${files[@]}"
    exit
fi
mapfile -t weakenings < <(ci/orderings.py list "${files[@]}" | grep -e "${1:-.}" || true)
if [ "${#weakenings[@]}" -eq 0 ]; then
    echo "no ordering to weaken in files with \"${1:-}\" in their path" >&2
    exit 1
fi
[ -z "${FRESH:-}" ] || rm -rf "$CARGO_TARGET_DIR/loom/mutated/kept"
. ci/loom-mutated.sh
prepare

bad=0
noticed=0
declare -A last=()
echo 'file:line | operation | from -> to | noticed by'
for weakening in "${weakenings[@]}"; do
    IFS=$'\t' read -r file line column operation from to seen argued <<<"$weakening"
    if [ "$seen" = no ]; then
        found='' result='not in the loom build'
    else
        ci/orderings.py mutate "$tree/$file" "$line" "$column" "$from" "$to"
        answer=$(verdict "${last[$file]:-}" "$(models_of "$file")")
        cp "$file" "$tree/$file"
        found=$(sed -n 1p <<<"$answer")
        why=$(sed -n 2p <<<"$answer")
        case $found in
            'does not compile')
                cat "$WORK/build.log"
                exit 1
                ;;
            none) found='' result="not noticed${why:+, $why}" ;;
            *) result="noticed by $(short <<<"$found"): ${why:0:80}" ;;
        esac
    fi
    if [ -n "$found" ]; then
        last[$file]=$found
        noticed=$((noticed + 1))
    elif [ "$argued" = argued ]; then
        result+=', argued for'
    else
        result+=', and NOT ARGUED FOR'
        bad=$((bad + 1))
    fi
    echo "$file:$line | $operation | $from -> $to | $result"
done
echo "${#weakenings[@]} weakenings, $noticed noticed, $bad neither noticed nor argued for, $SECONDS s"
[ "$bad" -eq 0 ]

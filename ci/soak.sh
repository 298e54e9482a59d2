#!/usr/bin/env bash
# The soak: all pairs of ci/stress.sh mixed, on twice as many threads as there are cores, while live heap bytes and resident
# memory are sampled sixty times. Neither may grow by 1 MiB in the second half.
#
#     ci/soak.sh                 an hour
#     ci/soak.sh 60              as many seconds
#     ci/soak.sh --address 60    under AddressSanitizer, or --valgrind: memory is not looked at then
set -euo pipefail
case ${1:-} in
    --address | --valgrind) exec "$(dirname "${BASH_SOURCE[0]}")/stress.sh" "$1" --soak "${2:-3600}" ;;
esac
exec "$(dirname "${BASH_SOURCE[0]}")/stress.sh" --soak "${1:-3600}"

#!/usr/bin/env bash
# A command for each of several tables, four at once: `{}` in it is the table. each.sh TABLE… -- COMMAND…
set -euo pipefail

tables=()
while [ "$1" != -- ]; do tables+=("$1") && shift; done
shift
printf '%s\n' "${tables[@]}" | xargs -P 4 -I '{}' "$@"

# Sourced by bench.sh and bench-peers.sh: the servers that they measure on, and what these use.
# shellcheck shell=bash

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034  # used by those who source this
dir=$repo/target/bench
cd "$repo" || exit

say() { printf '%s\n' "$1" >&2; }

psql_at() { "$BARNCAT_SERVERS_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$@"; }

# All of a bench runs at the same durability: `fsync` as servers.sh sets it, off.
up_servers() {
  scripts/servers.sh up --dir "$dir/servers" >/dev/null
  # shellcheck disable=SC1091  # made by servers.sh
  . "$dir/servers/env"
  # What starts by itself in one way's minute would be counted against it.
  local server
  for server in "$BARNCAT_PRIMARY_ADMIN_URL" "$BARNCAT_WAREHOUSE_ADMIN_URL"; do
    psql_at "$server" -c 'ALTER SYSTEM SET autovacuum = off' -c 'ALTER SYSTEM RESET fsync' -c 'SELECT pg_reload_conf()' >/dev/null
  done
}

# CPU seconds that a cluster has used so far: the postmaster with the children it has reaped, and
# those that live. A process's name may hold anything, so it is cut out before fields are counted.
cluster_cpu() { # postmaster's pid
  # Processes that end meanwhile are no error.
  { sed -s 's/^\([0-9]*\) (.*) /\1 /' /proc/[0-9]*/stat 2>/dev/null || true; } |
    awk -v pid="$1" -v ticks="$(getconf CLK_TCK)" '
      $1 == pid { used += $13 + $14 + $15 + $16 }
      $3 == pid { used += $13 + $14 }
      END { print used / ticks }'
}

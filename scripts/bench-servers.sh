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

# A database of the source, which the loader's role may read.
make_database() { # name
  [ "$(psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c "SELECT 1 FROM pg_database WHERE datname = '$1'")" ] ||
    psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c "CREATE DATABASE $1"
  psql_at "${BARNCAT_PRIMARY_ADMIN_URL%/*}/$1" -v role=barncat_source -v "database=$1" -v schema=public -v owner=postgres \
    -f sql/roles/source.sql >/dev/null
}

# Bytes of the newest load of each table in a project's stage.
staged_bytes() { # project's folder
  find "$1/stage" -name manifest.json -printf '%h\n' 2>/dev/null | sort | awk -F / '
    { table = $0; sub("/[^/]*$", "", table); newest[table] = $0 }
    END { for (table in newest) print newest[table] }' |
    xargs -r -I '{}' find '{}' -type f -printf '%s\n' | awk '{ bytes += $1 } END { print bytes + 0 }'
}

# Appends one line to DIR/figures: what, wall, client's CPU, source's CPU, warehouse's CPU, bytes staged, peak memory.
# The command may leave its own peak in DIR/peak, in kB. It begins with all at rest.
take_figures() { # what project command…
  local what=$1 source_before warehouse_before TIMEFORMAT='%R %U %S'
  scripts/servers.sh catch-up --dir "$dir/servers"
  psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c CHECKPOINT
  psql_at "$BARNCAT_WAREHOUSE_ADMIN_URL" -c CHECKPOINT
  echo 0 >"$dir/peak"
  source_before=$(cluster_cpu "$BARNCAT_REPLICA_PID") warehouse_before=$(cluster_cpu "$BARNCAT_WAREHOUSE_PID")
  { time "${@:3}" 2>"$dir/$what.log"; } 2>"$dir/time" || { cat "$dir/$what.log" >&2 && fail "${*:3} failed"; }
  awk -v what="$what" -v used="$(cat "$dir/time")" -v peak="$(tail -n 1 "$dir/peak")" -v staged="$(staged_bytes "$dir/$2")" \
    -v source="$(cluster_cpu "$BARNCAT_REPLICA_PID")" -v source_before="$source_before" \
    -v warehouse="$(cluster_cpu "$BARNCAT_WAREHOUSE_PID")" -v warehouse_before="$warehouse_before" '
    BEGIN {
      split(used, t, " ")
      printf "%s\t%s\t%.2f\t%.2f\t%.2f\t%d\t%d\n", what, t[1], t[2] + t[3], source - source_before,
        warehouse - warehouse_before, staged, peak * 1024
    }' >>"$dir/figures"
  tail -n 1 "$dir/figures" >&2
}

#!/usr/bin/env bash
# Throwaway PostgreSQL clusters on free loopback ports: a primary, its streaming hot standby, and a
# warehouse. The demo, the tests and the benchmark run on them.
#
#   scripts/servers.sh up        [--dir DIR] [--only primary,standby,warehouse]
#   scripts/servers.sh down      [--dir DIR]                stops them and removes everything
#   scripts/servers.sh status    [--dir DIR]                exit status 1 when one is not running
#   scripts/servers.sh start     MEMBER [--dir DIR]
#   scripts/servers.sh stop      MEMBER [--dir DIR] [--immediate]
#   scripts/servers.sh restart   MEMBER [--dir DIR] [--immediate]   --immediate: as a crash would
#   scripts/servers.sh promote   standby [--dir DIR]
#   scripts/servers.sh succeed   standby [--dir DIR]        promoted, it takes the primary's place and gets a standby of its own
#   scripts/servers.sh catch-up  [--dir DIR]                waits until the standby has replayed all
#
# DIR (default: target/servers) gets the file `env` with the addresses: BARNCAT_PRIMARY_URL,
# BARNCAT_REPLICA_URL, BARNCAT_WAREHOUSE_URL and BARNCAT_CONTROL_URL log in with the least-privilege
# roles of sql/roles; …_ADMIN_URL is the superuser, for set-up. Any number of DIRs live side by side.
# `up` finds what is there already; `down` leaves neither process nor folder behind.
set -euo pipefail

repo=$(cd "$(dirname "$0")/.." && pwd)

fail() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 2
}

# ---- state: DIR/env -------------------------------------------------------------------------------

secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# shellcheck disable=SC1091  # made by write_state
load_state() { [ -f "$dir/env" ] && . "$dir/env"; }

require_state() {
  load_state || fail "there are no servers in $dir" "scripts/servers.sh up --dir $dir"
}

# The names by which the members go in DIR/env.
variable_of() {
  case $1 in
    primary) echo BARNCAT_PRIMARY ;;
    standby) echo BARNCAT_REPLICA ;;
    warehouse) echo BARNCAT_WAREHOUSE ;;
    *) fail "\`$1\` is not a server" "one of primary, standby, warehouse" ;;
  esac
}

database_of() { [ "$1" = warehouse ] && echo warehouse || echo shop; }
port_of() { cat "$BARNCAT_SERVERS_DATA/$1.port"; }
pid_of() { head -n 1 "$BARNCAT_SERVERS_DATA/$1/postmaster.pid" 2>/dev/null; }
is_made() { [ -e "$BARNCAT_SERVERS_DATA/$1.made" ]; }
is_running() { as_owner "$bin/pg_ctl" status -D "$BARNCAT_SERVERS_DATA/$1" >/dev/null 2>&1; }

role_url() { # role password member database
  printf 'postgres://%s:%s@127.0.0.1:%s/%s' "$1" "$2" "$(port_of "$3")" "$4"
}

write_member() {
  local member=$1 name role=barncat_source password=$BARNCAT_SOURCE_PASSWORD
  name=$(variable_of "$member")
  if [ "$member" = warehouse ]; then
    role=barncat_warehouse password=$BARNCAT_WAREHOUSE_PASSWORD
    printf 'BARNCAT_CONTROL_URL=%s\n' \
      "$(role_url barncat_control "$BARNCAT_CONTROL_PASSWORD" warehouse control)"
  fi
  printf '%s_URL=%s\n' "$name" "$(role_url "$role" "$password" "$member" "$(database_of "$member")")"
  printf '%s_ADMIN_URL=%s\n' "$name" \
    "$(role_url postgres "$BARNCAT_ADMIN_PASSWORD" "$member" "$(database_of "$member")")"
  printf '%s_PORT=%s\n' "$name" "$(port_of "$member")"
  printf '%s_DATA=%q\n' "$name" "$BARNCAT_SERVERS_DATA/$member"
  printf '%s_PID=%s\n' "$name" "$(pid_of "$member")"
}

# Written whole and renamed: a reader never finds half of it.
write_state() {
  local member
  umask 077
  {
    printf 'BARNCAT_SERVERS_BIN=%q\n' "$bin"
    printf 'BARNCAT_SERVERS_USER=%s\n' "$BARNCAT_SERVERS_USER"
    printf 'BARNCAT_SERVERS_DATA=%q\n' "$BARNCAT_SERVERS_DATA"
    printf 'BARNCAT_ADMIN_PASSWORD=%s\n' "$BARNCAT_ADMIN_PASSWORD"
    printf 'BARNCAT_SOURCE_PASSWORD=%s\n' "$BARNCAT_SOURCE_PASSWORD"
    printf 'BARNCAT_WAREHOUSE_PASSWORD=%s\n' "$BARNCAT_WAREHOUSE_PASSWORD"
    printf 'BARNCAT_CONTROL_PASSWORD=%s\n' "$BARNCAT_CONTROL_PASSWORD"
    for member in primary standby warehouse; do
      ! is_made "$member" || write_member "$member"
    done
  } >"$dir/env.new"
  mv "$dir/env.new" "$dir/env"
}

# ---- the user that owns the clusters --------------------------------------------------------------

# The server refuses to run as root, so root hands the clusters to an unprivileged user.
server_user() {
  if [ "$(id -u)" -ne 0 ]; then
    id -un
  elif id postgres >/dev/null 2>&1; then
    echo postgres
  else
    id barncat-servers >/dev/null 2>&1 ||
      useradd --system --shell /bin/sh barncat-servers 2>/dev/null ||
      adduser -S -D -H -s /bin/sh barncat-servers
    echo barncat-servers
  fi
}

as_owner() {
  if [ "$(id -u)" -ne 0 ]; then
    "$@"
  elif command -v runuser >/dev/null; then
    runuser -u "$BARNCAT_SERVERS_USER" -- "$@"
  else
    su -s /bin/sh "$BARNCAT_SERVERS_USER" -c 'exec "$@"' -- sh "$@"
  fi
}

# The clusters lie in DIR, or in /tmp where that user cannot reach DIR.
make_data_folder() {
  mkdir -p "$dir/clusters"
  BARNCAT_SERVERS_DATA=$dir/clusters
  if [ "$(id -u)" -eq 0 ]; then
    chown "$BARNCAT_SERVERS_USER" "$BARNCAT_SERVERS_DATA"
    if ! as_owner test -w "$BARNCAT_SERVERS_DATA"; then
      rmdir "$BARNCAT_SERVERS_DATA"
      BARNCAT_SERVERS_DATA=$(mktemp -d /tmp/barncat-servers.XXXXXX)
      chown "$BARNCAT_SERVERS_USER" "$BARNCAT_SERVERS_DATA"
    fi
  fi
  chmod 700 "$BARNCAT_SERVERS_DATA"
  # `down` removes a folder only where it finds this file.
  as_owner touch "$BARNCAT_SERVERS_DATA/.barncat-servers"
}

# ---- one cluster ----------------------------------------------------------------------------------

# Below the range from which systems take the ports of outgoing connections, so that a stopped
# server finds its own port free again.
free_port() {
  local port
  while :; do
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

utf8_locale() {
  if locale -a 2>/dev/null | grep -qi '^c\.utf-\?8$'; then echo C.UTF-8; else echo C; fi
}

# shellcheck disable=SC2016  # the inner shell expands it
append_to() { as_owner sh -c 'cat >> "$1"' sh "$1"; }
# shellcheck disable=SC2016
write_to() { as_owner sh -c 'cat > "$1"' sh "$1"; }

init_cluster() {
  local cluster=$BARNCAT_SERVERS_DATA/$1 password_file=$BARNCAT_SERVERS_DATA/$1.password
  # A rest of an interrupted `up`: stopped, and made anew.
  stop_member "$1" immediate
  rm -rf "$cluster"
  printf '%s\n' "$BARNCAT_ADMIN_PASSWORD" | append_to "$password_file"
  as_owner "$bin/initdb" --no-sync --username=postgres --pwfile="$password_file" \
    --auth=scram-sha-256 --encoding=UTF8 --locale="$(utf8_locale)" -D "$cluster" >/dev/null
  rm -f "$password_file"
  append_to "$cluster/postgresql.conf" <<CONF
# Loopback and passwords only; no sockets, so that a long path is no trouble.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
timezone = 'UTC'
# Throwaway: an outage of the machine may lose it. Full pages stay: the standby is copied from it.
fsync = off
full_page_writes = on
# What a standby needs; also the defaults, but a test must not depend on the packager's.
wal_level = replica
max_wal_senders = 10
max_replication_slots = 10
hot_standby = on
max_prepared_transactions = 20
# The standby asks the primary to keep what its snapshots still see, so that replay need not wait for
# them: what the README asks of a replica too.
hot_standby_feedback = on
wal_receiver_status_interval = '1s'
# Rare checkpoints: on a small machine they are the noise in every figure. A checkpoint by size comes after a third of
# this; three clusters each keep as much on a disk that may be small.
max_wal_size = '1GB'
checkpoint_timeout = '30min'
log_line_prefix = '%m [%p] %q%u@%d/%a '
CONF
}

start_member() {
  local cluster=$BARNCAT_SERVERS_DATA/$1
  is_running "$1" ||
    as_owner "$bin/pg_ctl" start -s -w -t 60 -D "$cluster" -l "$cluster.log" >/dev/null || return 1
}

# The first start picks the port. Another process may take it in between, so it is tried again.
start_on_free_port() {
  local cluster=$BARNCAT_SERVERS_DATA/$1 try
  for try in 1 2 3 4 5; do
    free_port | write_to "$cluster.port"
    printf 'port = %s\n' "$(port_of "$1")" | append_to "$cluster/postgresql.conf"
    if start_member "$1" 2>/dev/null; then return; fi
    grep -q 'could not bind' "$cluster.log" || break
    as_owner rm -f "$cluster.log"
  done
  tail -n 20 "$cluster.log" >&2
  fail "the $1 did not start (try $try)"
}

stop_member() { # member mode
  local cluster=$BARNCAT_SERVERS_DATA/$1
  if is_running "$1"; then
    as_owner "$bin/pg_ctl" stop -s -w -t 60 -m "$2" -D "$cluster" >/dev/null
  fi
}

admin_psql() { # member database arguments…
  local port
  port=$(port_of "$1")
  PGPASSWORD=$BARNCAT_ADMIN_PASSWORD "$bin/psql" -X -q -At -v ON_ERROR_STOP=1 \
    -h 127.0.0.1 -p "$port" -U postgres -d "$2" "${@:3}"
}

# The roles are made by the very SQL that `barncat doctor` prints; only the password is set here.
make_role() { # member database role password file variables…
  local variables=() variable
  for variable in "${@:6}"; do variables+=(-v "$variable"); done
  admin_psql "$1" "$2" -v "role=$3" -v "database=$2" "${variables[@]}" -f "$repo/sql/roles/$5" >/dev/null
  printf "ALTER ROLE %s PASSWORD '%s'\n" "$3" "$4" | admin_psql "$1" "$2"
}

make_primary() {
  init_cluster primary
  start_on_free_port primary
  admin_psql primary postgres -c 'CREATE DATABASE shop'
  make_role primary shop barncat_source "$BARNCAT_SOURCE_PASSWORD" source.sql schema=public owner=postgres
}

make_standby() {
  local cluster=$BARNCAT_SERVERS_DATA/standby
  stop_member standby immediate
  rm -rf "$cluster"
  # The slot keeps what a stopped standby has still to read; one may be left of an interrupted `up`.
  admin_psql primary postgres -c "SELECT pg_drop_replication_slot(slot_name)
    FROM pg_replication_slots WHERE slot_name = 'standby'" >/dev/null
  # -R writes the password, from the environment, into the standby's own configuration.
  PGPASSWORD=$BARNCAT_ADMIN_PASSWORD as_owner "$bin/pg_basebackup" -h 127.0.0.1 -p "$(port_of primary)" \
    -U postgres -D "$cluster" --write-recovery-conf --create-slot --slot=standby \
    --wal-method=stream --checkpoint=fast --no-sync
  start_on_free_port standby
}

make_warehouse() {
  init_cluster warehouse
  start_on_free_port warehouse
  admin_psql warehouse postgres -c 'CREATE DATABASE warehouse' -c 'CREATE DATABASE control'
  make_role warehouse warehouse barncat_warehouse "$BARNCAT_WAREHOUSE_PASSWORD" warehouse.sql
  make_role warehouse control barncat_control "$BARNCAT_CONTROL_PASSWORD" control.sql \
    schema=barncat_control test_schema=barncat_control_test
}

ensure_member() {
  if is_made "$1"; then
    start_member "$1" || fail "the $1 did not start" "its log is $BARNCAT_SERVERS_DATA/$1.log"
  else
    "make_$1"
    as_owner touch "$BARNCAT_SERVERS_DATA/$1.made"
  fi
}

# ---- commands -------------------------------------------------------------------------------------

wants() { case ",$only," in *",$1,"*) return 0 ;; *) return 1 ;; esac; }

up() {
  local status=0 source_side warehouse_side
  mkdir -p "$dir"
  if ! load_state; then
    BARNCAT_SERVERS_USER=$(server_user)
    BARNCAT_ADMIN_PASSWORD=$(secret) BARNCAT_SOURCE_PASSWORD=$(secret)
    BARNCAT_WAREHOUSE_PASSWORD=$(secret) BARNCAT_CONTROL_PASSWORD=$(secret)
    make_data_folder
    write_state
    # What this call made, it takes back when it fails or is interrupted.
    trap 'wait || true; down >/dev/null 2>&1' EXIT
    trap 'exit 130' INT TERM
  fi
  [ -d "$BARNCAT_SERVERS_DATA" ] ||
    fail "$BARNCAT_SERVERS_DATA is gone, where $dir/env says the clusters are" \
      "scripts/servers.sh down --dir $dir"
  # Both in the background: inside of a list with `||` the shell would not stop at an error.
  (
    if wants primary || wants standby; then ensure_member primary; fi
    if wants standby; then ensure_member standby; fi
  ) &
  source_side=$!
  (if wants warehouse; then ensure_member warehouse; fi) &
  warehouse_side=$!
  wait "$source_side" || status=$?
  wait "$warehouse_side" || status=$?
  [ "$status" -eq 0 ] || exit "$status"
  write_state
  trap - EXIT INT TERM
  status
}

remove_data_folder() {
  if [ -e "$BARNCAT_SERVERS_DATA/.barncat-servers" ]; then rm -rf "$BARNCAT_SERVERS_DATA"; fi
}

down() {
  local member
  if load_state; then
    for member in standby primary warehouse; do
      stop_member "$member" immediate
    done
    remove_data_folder
  fi
  rm -f "$dir/env" "$dir/env.new"
  rmdir "$dir" 2>/dev/null || true
}

status() {
  local member state made=0 running=0
  for member in primary standby warehouse; do
    is_made "$member" || continue
    made=$((made + 1)) state=stopped
    if is_running "$member"; then running=$((running + 1)) state=running; fi
    printf '%-10s %s  127.0.0.1:%s  %s\n' "$member" "$state" "$(port_of "$member")" \
      "$BARNCAT_SERVERS_DATA/$member"
  done
  printf '%-10s %s\n' addresses "$dir/env"
  [ "$made" -gt 0 ] && [ "$running" -eq "$made" ]
}

stop_one() {
  local mode=fast
  [ -z "$immediate" ] || mode=immediate
  stop_member "$member" "$mode"
}

start_one() {
  start_member "$member" || {
    tail -n 20 "$BARNCAT_SERVERS_DATA/$member.log" >&2
    fail "the $member did not start" "its log is $BARNCAT_SERVERS_DATA/$member.log"
  }
  write_state
}

promote() {
  [ "$member" = standby ] || fail "only the standby can be promoted"
  as_owner "$bin/pg_ctl" promote -s -w -t 60 -D "$BARNCAT_SERVERS_DATA/standby" >/dev/null
}

# The primary is no more; whoever asks for it or for the standby asks other ports from now on.
succeed() {
  local what
  [ "$member" = standby ] || fail "only the standby can take the primary's place"
  [ ! -e "$BARNCAT_SERVERS_DATA/standby/standby.signal" ] ||
    fail "the standby is none that was promoted" "scripts/servers.sh promote standby"
  stop_member primary immediate
  stop_member standby fast
  for what in "" .port .log; do
    rm -rf "$BARNCAT_SERVERS_DATA/primary$what"
    mv "$BARNCAT_SERVERS_DATA/standby$what" "$BARNCAT_SERVERS_DATA/primary$what"
  done
  start_member primary || fail "the primary did not start" "its log is $BARNCAT_SERVERS_DATA/primary.log"
  make_standby
  write_state
}

catch_up() {
  local target deadline=$((SECONDS + 600))
  target=$(admin_psql primary postgres -c 'SELECT pg_current_wal_flush_lsn()')
  until [ "$(admin_psql standby postgres \
    -c "SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= '$target'")" = t ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "the standby did not replay $target within 10 minutes"
    sleep 0.1
  done
}

# ---- the command line -----------------------------------------------------------------------------

command=${1:-help}
shift || true
dir=$repo/target/servers only=primary,standby,warehouse immediate="" member=""
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=${2:?--dir needs a folder} && shift ;;
    --only) only=${2:?--only needs servers} && shift ;;
    --immediate) immediate=yes ;;
    -*) fail "unknown option \`$1\`" "scripts/servers.sh help" ;;
    *) member=$1 ;;
  esac
  shift
done
for name in ${only//,/ } $member; do variable_of "$name" >/dev/null; done
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
umask 022

case $command in
  help | --help | -h) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$repo/scripts/servers.sh" && exit ;;
  down) [ -f "$dir/env" ] || { down && exit; } ;;
  up | status | start | stop | restart | promote | succeed | catch-up) ;;
  *) fail "unknown command \`$command\`" "scripts/servers.sh help" ;;
esac
bin=$(load_state && echo "$BARNCAT_SERVERS_BIN") || bin=$("$repo/scripts/install-postgres.sh")
# The clusters' owner may not be able to enter the caller's folder.
cd /

case $command in
  up) up ;;
  down) down ;;
  status) require_state && status ;;
  catch-up) require_state && catch_up ;;
  *)
    require_state
    [ -n "$member" ] || fail "\`$command\` needs a server" "one of primary, standby, warehouse"
    is_made "$member" || fail "there is no $member in $dir"
    case $command in
      start) start_one ;;
      stop) stop_one ;;
      restart) stop_one && start_one ;;
      promote) promote ;;
      succeed) succeed ;;
    esac
    ;;
esac

#!/usr/bin/env bash
# Prints the folder of PostgreSQL's programs (initdb, pg_ctl, pg_basebackup, psql), after installing
# them with the system's package manager if they are missing. BARNCAT_PG_BIN names a folder by hand.
# No server is started and none is set up: the demo and the tests make their own (servers.sh).
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

# The newest version comes last: Debian keeps one folder a version.
candidates() {
  if [ -n "${BARNCAT_PG_BIN:-}" ]; then
    printf '%s\n' "$BARNCAT_PG_BIN"
    return
  fi
  local found
  if found=$(command -v initdb); then
    dirname "$found"
  fi
  # shellcheck disable=SC2012  # the folders' names are plain, and find takes no list of patterns
  ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* \
    /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin 2>/dev/null | sort -V || true
}

# A folder counts when all of the programs are in it: a client-only installation is not enough.
find_bin() {
  local folder best=""
  while read -r folder; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/pg_ctl" ] && [ -x "$folder/pg_basebackup" ] &&
      [ -x "$folder/psql" ]; then
      best=$folder
    fi
  done < <(candidates)
  [ -n "$best" ] && printf '%s\n' "$best"
}

without_root="PostgreSQL is missing, and installing it needs root"
without_root_hint="install PostgreSQL 14 or newer with its server programs, or name their folder in BARNCAT_PG_BIN"

# Debian starts a cluster of its own at installation unless it is told not to. The setting is put
# back afterwards: it is the machine's, not ours.
install_debian() {
  local conf=/etc/postgresql-common/createcluster.conf
  apt_install postgresql-common
  as_root cp -p "$conf" "$conf.barncat"
  as_root sh -c "echo 'create_main_cluster = false' >> $conf"
  local status=0
  apt_install postgresql || status=$?
  as_root mv "$conf.barncat" "$conf"
  return "$status"
}

install() {
  printf 'installing PostgreSQL …\n' >&2
  if command -v apt-get >/dev/null; then
    install_debian
  elif command -v dnf >/dev/null; then
    as_root dnf install -y -q postgresql-server postgresql-contrib
  elif command -v apk >/dev/null; then
    as_root apk add --quiet postgresql postgresql-client postgresql-contrib
  elif command -v brew >/dev/null; then
    brew install --quiet postgresql
  else
    fail "PostgreSQL is missing, and none of apt-get, dnf, apk and brew is here to install it" \
      "$without_root_hint"
  fi
}

if ! find_bin; then
  [ -z "${BARNCAT_PG_BIN:-}" ] ||
    fail "BARNCAT_PG_BIN is $BARNCAT_PG_BIN, but initdb, pg_ctl, pg_basebackup and psql are not all there"
  # stdout carries the folder alone.
  install >&2
  find_bin || fail "PostgreSQL was installed, but its programs were not found" \
    "name their folder in BARNCAT_PG_BIN"
fi

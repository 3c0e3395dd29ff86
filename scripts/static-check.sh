#!/usr/bin/env bash
# What the image holds, and the proof that it is enough.
#
#   scripts/static-check.sh root DIR   builds the static binary and makes the image's root of it (deploy/Dockerfile does this)
#   scripts/static-check.sh            makes it in target/static, and runs the binary in there as nobody in particular, on a
#                                      read-only root with a project and what every container has (/proc, /tmp, /dev/null,
#                                      /dev/random, /dev/urandom, the two files of names): its version, a project without
#                                      mistakes, and a run between servers of scripts/servers.sh that are found by
#                                      /etc/hosts and by DNS
#
# The proof needs root (mounts, a DNS server's port), and Linux. BUILT (a static binary): nothing is built.
set -euo pipefail

cd "$(dirname "$0")/.."
home=$PWD/target/static
# Where the check's DNS server listens: on loopback, where nobody else does.
nameserver=127.0.53.53

fail() {
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# Linked to glibc for good, whose resolver reads /etc/hosts and asks DNS without the modules that glibc's linker warns of
# (since 2.34). With --target, so that what cargo runs itself (macros, build scripts) is linked as always.
build() {
  local target
  target=$(rustc -vV | sed -n 's/^host: //p')
  RUSTFLAGS='-C target-feature=+crt-static' CARGO_PROFILE_RELEASE_STRIP=debuginfo \
    cargo build --release --locked --bin barncat --target "$target" >&2
  echo "${CARGO_TARGET_DIR:-target}/$target/release/barncat"
}

make_root() { # to
  local built certificates=/etc/ssl/certs/ca-certificates.crt
  built=${BUILT:-$(build)}
  [ -f $certificates ] || fail "there are no certificates in $certificates" "apt-get install ca-certificates"
  install -D -m 755 "$built" "$1/usr/local/bin/barncat"
  install -D -m 644 $certificates "$1$certificates"
  install -d -m 755 "$1/project"
  # Where the container's runtime mounts a folder; what lies there is for programs that barncat starts.
  install -d -m 1777 "$1/tmp"
}

# ---- the proof ------------------------------------------------------------------------------------

clean_up() {
  if [ -n "${dns_pid:-}" ]; then kill "$dns_pid" 2>/dev/null || true; fi
  scripts/servers.sh down --dir "$home/servers"
  rm -rf --one-file-system "${home:?}"
}

# A DNS server of one name, which is what the check asks for.
serve_dns() {
  python3 - "$nameserver" <<'PYTHON' &
import socket, sys
at = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
at.bind((sys.argv[1], 53))
while True:
    asked, who = at.recvfrom(512)
    end = asked.index(b"\0", 12) + 5
    name, kind = asked[12 : end - 4], asked[end - 4 : end - 2]
    is_known = name.lower() == b"\x07replica\x07barncat\x04test\0"
    has = is_known and kind == b"\0\x01"
    head = asked[:2] + (b"\x81\x80" if is_known else b"\x81\x83") + b"\0\x01" + (b"\0\x01" if has else b"\0\0") + b"\0\0\0\0"
    answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04" + socket.inet_aton("127.0.0.1") if has else b""
    at.sendto(head + asked[12:end] + answer, who)
PYTHON
  dns_pid=$!
}

write_project() {
  mkdir -p "$home/project/loaders" "$home/etc"
  printf '127.0.0.1 localhost\n' >"$home/etc/hosts"
  printf 'nameserver %s\noptions timeout:2 attempts:2\n' "$nameserver" >"$home/etc/resolv.conf"
  cat >"$home/project/barncat.toml" <<'TOML'
[project]
name = "static"
timezone = "Europe/London"

[sources.shop]
kind = "postgres"
url = "${REPLICA_URL}"

[stage]
url = "file:/tmp/stage"

[warehouse]
kind = "postgres"
url = "${WAREHOUSE_URL}"
schema = "static"
TOML
  cat >"$home/project/loaders/shop.toml" <<'TOML'
source = "shop"
schema = "public"

[tables]
parcels = { strategy = "full", tier = "critical", deadline = "06:00" }
TOML
}

# barncat in the root, as user 10001 and in namespaces of its own: what is mounted there is gone with it.
inside() {
  # shellcheck disable=SC2016  # the inner shell expands it
  REPLICA_URL=$replica WAREHOUSE_URL=$warehouse unshare --mount --pid --fork sh -euc '
    home=$1 && shift
    root=$home/root
    mount --bind "$root" "$root"
    mount --bind "$home/project" "$root/project"
    mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
    mount -t proc proc "$root/proc"
    for file in hosts resolv.conf; do mount --bind "$home/etc/$file" "$root/etc/$file"; done
    # A static binary has no dlsym, by which random numbers are asked of the kernel: they come from here.
    for device in null random urandom; do mount --bind "/dev/$device" "$root/dev/$device"; done
    mount -o remount,bind,ro "$root/project"
    mount -o remount,bind,ro "$root"
    exec chroot --userspec=10001:10001 --groups= "$root" \
      /usr/local/bin/barncat --project /project "$@"' sh "$home" "$@"
}

check() {
  [ "$(id -u)" -eq 0 ] || fail "the check needs root, for mounts and the DNS server's port" "sudo scripts/static-check.sh"
  trap clean_up EXIT
  trap 'exit 130' INT TERM
  rm -rf --one-file-system "${home:?}"
  make_root "$home/root"
  # What a container's runtime brings.
  mkdir -p "$home/root/proc" "$home/root/dev"
  touch "$home/root/dev/null" "$home/root/dev/random" "$home/root/dev/urandom" "$home/root/etc/hosts" "$home/root/etc/resolv.conf"
  write_project
  scripts/servers.sh up --dir "$home/servers"
  # shellcheck disable=SC1091  # made by servers.sh
  . "$home/servers/env"
  psql_at() { "$BARNCAT_SERVERS_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d "$@"; }
  psql_at "$BARNCAT_PRIMARY_ADMIN_URL" -c "CREATE TABLE parcels AS
    SELECT n AS id, 'parcel ' || n AS label FROM generate_series(1, 1000) AS n" -c "ALTER TABLE parcels ADD PRIMARY KEY (id)"
  scripts/servers.sh catch-up --dir "$home/servers"
  serve_dns
  # By DNS, and by /etc/hosts. Another name than localhost is asked for TLS, which these servers do not speak.
  replica="${BARNCAT_REPLICA_URL/127.0.0.1/replica.barncat.test}?sslmode=disable"
  warehouse=${BARNCAT_WAREHOUSE_URL/127.0.0.1/localhost}

  printf '== an empty, read-only root, as user 10001\n' >&2
  du -h "$home/root/usr/local/bin/barncat" >&2
  inside --version
  inside validate
  inside run --output json >"$home/outcome.json" || fail "the run failed" "$(cat "$home/outcome.json")"
  [ "$(psql_at "$warehouse" -c 'SELECT count(*) FROM static.parcels')" = 1000 ] || fail "the table is not there"
  if inside init /project/new 2>"$home/refused"; then fail "something could be written"; fi
  grep -qi 'read-only' "$home/refused" || fail "init failed for another reason" "$(cat "$home/refused")"
  # A name that nobody has is told as such, and not taken for another one.
  replica=${replica/replica.barncat/nobody.barncat}
  if inside run >"$home/nobody" 2>&1; then fail "a name that nobody has was found"; fi
  grep -q 'nobody.barncat.test' "$home/nobody" || fail "the wrong name is not told" "$(cat "$home/nobody")"
  printf 'the static binary needs nothing else\n' >&2
}

case ${1:-} in
  root) make_root "${2:?where to}" ;;
  "") check ;;
  *) fail "\`$1\` is not known" "root DIR, or nothing" ;;
esac

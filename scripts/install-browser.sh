#!/usr/bin/env bash
# Prints the path of Chromium, after installing it and Node with the system's package manager if they are missing.
# BARNCAT_CHROMIUM names one by hand.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

# What the browser test's driver runs on.
node_min=18

without_root="Chromium or Node is missing, and installing it needs root"
without_root_hint="install chromium, nodejs and npm"

find_chromium() {
  if [ -n "${BARNCAT_CHROMIUM:-}" ]; then
    [ -x "$BARNCAT_CHROMIUM" ] && echo "$BARNCAT_CHROMIUM"
  else
    command -v chromium || command -v chromium-browser
  fi
}

# Debian's packages; a font beside them, without which a machine without a screen shows boxes.
missing() {
  find_chromium >/dev/null || echo chromium
  command -v node >/dev/null || echo nodejs
  command -v npm >/dev/null || echo npm
  [ -n "$(fc-list 2>/dev/null)" ] || echo fontconfig fonts-dejavu-core
}

packages=$(missing)
if [ -n "$packages" ]; then
  [ -z "${BARNCAT_CHROMIUM:-}" ] || find_chromium >/dev/null || fail "BARNCAT_CHROMIUM is $BARNCAT_CHROMIUM, which is no program"
  command -v apt-get >/dev/null ||
    fail "of chromium, nodejs, npm and fonts some are missing, and apt-get is not here to install them" \
      "install them, or name Chromium in BARNCAT_CHROMIUM"
  # stdout carries the path alone.
  # shellcheck disable=SC2086  # a list
  apt_install $packages >&2
fi
version=$(node --version)
version=${version#v}
[ "${version%%.*}" -ge $node_min ] || fail "Node $version is too old" "install Node $node_min or newer"
find_chromium || fail "Chromium was installed, but is not found" "name it in BARNCAT_CHROMIUM"

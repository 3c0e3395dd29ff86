#!/usr/bin/env bash
# The dashboard in headless Chromium, on the demo's history: each page by clicks, by the keyboard and without JavaScript, at two
# widths and in two themes; judged by axe-core; a backfill that is watched live; odd names, and every state that there is.
# The tests are in tests/browser.
#
#   scripts/browser-test.sh           the pictures go to target/browser/screenshots
#   scripts/browser-test.sh --write   they go to docs/screenshots, with the fonts and as small as they are kept there
#
# BUILT (a folder with the programs in it, as target/debug): nothing is built.
set -euo pipefail

# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

cd "$(dirname "$0")/.."

case "$*" in
  "") kept='' ;;
  --write) kept=docs/screenshots ;;
  *) fail "\`$*\` is not known" "--write, or nothing" ;;
esac

# What the lock file names, and nothing that it does not.
install_driver() {
  local folder=tests/browser
  cmp --silent $folder/package-lock.json $folder/node_modules/of-lock.json && return
  npm ci --prefix $folder --ignore-scripts --no-audit --no-fund --loglevel=error
  cp $folder/package-lock.json $folder/node_modules/of-lock.json
}

# For pictures alone: their font, and what makes them small.
install_for_pictures() {
  local missing=()
  command -v pngquant >/dev/null || missing+=(pngquant)
  fc-list | grep -q 'Inter-Regular' || missing+=(fonts-inter)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}" >&2 ||
    fail "${missing[*]} cannot be installed, which --write needs"
}

keep_pictures() {
  mkdir -p "$kept"
  rm -f "$kept"/*.png
  local picture
  for picture in "$BARNCAT_PICTURES"/*.png; do
    pngquant --strip --quality 60-95 --speed 1 --output "$kept/${picture##*/}" "$picture"
  done
  du -ch "$kept"/*.png | tail -n 1 >&2
}

# The same in both places: a page that is new, or gone, is seen.
compare_pictures() {
  diff <(cd docs/screenshots && ls) <(cd "$BARNCAT_PICTURES" && ls) >&2 ||
    fail "docs/screenshots has other pictures than the test takes" "scripts/browser-test.sh --write"
}

step() {
  "$@" >>target/browser/history.log 2>&1 || fail "${*:1:2} failed" "$(tail -n 5 target/browser/history.log)"
}

# The shop goes on, and a run brings that.
change_and_run() { # which
  # shellcheck disable=SC1091,SC2153  # made by servers.sh and demo.sh
  (
    . .demo/env && . .demo/shell &&
      "$BARNCAT_SERVERS_BIN/psql" -X -q -d "$SHOP_PRIMARY_URL" -v ON_ERROR_STOP=1 \
        -c "UPDATE orders SET tip = coalesce(tip, 0) + 1, updated_at = now() WHERE id % 17 < $1" &&
      scripts/servers.sh catch-up --dir .demo && "${BUILT:-target/release}/barncat" run --project .
  )
}

BARNCAT_CHROMIUM=$(scripts/install-browser.sh)
install_driver
[ -z "$kept" ] || install_for_pictures
[ ! -e .demo ] || fail "the demo is there already, and the test would change it" "make demo-down"
trap 'scripts/demo.sh down' EXIT
trap 'exit 130' INT TERM
mkdir -p target/browser
export SCALE=${SCALE:-0.02}
# A day's history: runs of everything, one without its rates, one that is held back.
: >target/browser/history.log
step scripts/demo.sh up
for which in 1 3 2; do step change_and_run $which; done
step scripts/demo.sh break
step scripts/demo.sh mend
for which in 5 2 4; do step change_and_run $which; done
step scripts/demo.sh damage
rm -rf target/browser/screenshots
set -a
# shellcheck disable=SC1091  # made by servers.sh and demo.sh
. .demo/env && . .demo/shell
set +a
BARNCAT=$(realpath "${BUILT:-target/release}/barncat")
export BARNCAT_CHROMIUM BARNCAT BARNCAT_SERVERS_DIR=$PWD/.demo
export BARNCAT_PICTURES=$PWD/target/browser/screenshots FONTCONFIG_FILE=$PWD/tests/browser/fonts.conf
node --test tests/browser/all.mjs
if [ -n "$kept" ]; then keep_pictures; else compare_pictures; fi

# Sourced: what the scripts share.
# shellcheck shell=bash

fail() { # what hint
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

# A script that installs something says in `without_root` and `without_root_hint` what there is to do where nobody can be root.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "${without_root:-this needs root: $*}" "${without_root_hint:-run it as root, or install sudo}"
  fi
}

# Of a machine that has never looked, or long ago, the list of packages is not there or wrong.
apt_install() { # packages…
  local install=(as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@")
  "${install[@]}" || {
    as_root apt-get update -q
    "${install[@]}"
  }
}

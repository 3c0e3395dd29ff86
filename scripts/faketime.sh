# Sourced: libfaketime, by which servers and barncat take another time for the real one. It is installed where it is missing, by
# what common.sh has.
# shellcheck shell=bash

faketime_found() {
  local found
  for found in /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib*/faketime/libfaketimeMT.so.1; do
    if [ -e "$found" ]; then echo "$found" && return; fi
  done
  return 1
}

faketime_install() {
  printf 'installing libfaketime …\n' >&2
  if command -v apt-get >/dev/null; then
    apt_install libfaketime >&2
  elif command -v dnf >/dev/null; then
    as_root dnf install -y -q libfaketime >&2
  else
    fail "libfaketime is missing, and neither apt-get nor dnf is here to install it" "install it, and run this again"
  fi
}

# Where the library is.
faketime_library() {
  faketime_found || { faketime_install && faketime_found; } || fail "libfaketime was installed, but not found"
}

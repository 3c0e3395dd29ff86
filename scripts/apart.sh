# Sourced: mounts that nobody else sees and that go with who made them. What it says it says by `fail` of common.sh.
# shellcheck shell=bash

# Who is not root becomes, for these alone, one who may mount.
apart() {
  if [ "$(id -u)" -eq 0 ]; then
    unshare --mount --propagation private -- "$@"
  else
    unshare --user --map-current-user --keep-caps --mount --propagation private -- "$@"
  fi
}

needs_apart() {
  command -v unshare >/dev/null || fail "unshare is missing" "apt-get install util-linux"
  apart true 2>/dev/null || fail "no file system can be mounted apart from this machine's own" "run it as root, or allow user namespaces"
}

# Sourced: a double of ours (tests/*-double) in the background. Its folder gets the file `shell` with its addresses, which is
# there as long as it is.
# shellcheck shell=bash

double_program() { echo "${BUILT:-${CARGO_TARGET_DIR:-target}/release}/$1"; } # name

# The process that a folder's file names, if that is the double still.
double_pid() { # name folder
  local pid variable=${1^^}
  pid=$(sed -n "s/^export ${variable//-/_}_PID='\([0-9]*\)'$/\1/p" "$2/shell" 2>/dev/null) || return
  [ -n "$pid" ] && grep -q "^$1\$" "/proc/$pid/comm" 2>/dev/null && echo "$pid"
}

double_start() { # name folder arguments…
  local pid
  double_pid "$1" "$2" >/dev/null && return
  mkdir -p "$2"
  rm -f "$2/shell"
  # A group of its own: Ctrl-C is for whoever started it.
  setsid "$(double_program "$1")" --folder "$2" "${@:3}" </dev/null >"$2/log" 2>&1 &
  pid=$!
  until [ -e "$2/shell" ]; do
    kill -0 "$pid" 2>/dev/null || fail "the $1 did not start: $(tail -n 1 "$2/log")"
    sleep 0.1
  done
}

double_stop() { # name folder
  local pid
  pid=$(double_pid "$1" "$2") || return 0
  kill "$pid" 2>/dev/null || true
  while [ -e "/proc/$pid" ]; do sleep 0.1; done
}

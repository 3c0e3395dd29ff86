#!/usr/bin/env bash
# Tries deploy/ecs/run.sh against scripts/fake-aws.py: what it asks, prints and ends with. scripts/deploy-check.sh calls it.
#
#   scripts/try-run-sh.sh PYTHON      a Python that has botocore
set -euo pipefail

cd "$(dirname "$0")/.."
python=$(realpath --no-symlinks "$1")
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
mkdir "$home/bin"
printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$python" "$PWD/scripts/fake-aws.py" >"$home/bin/aws"
chmod +x "$home/bin/aws"
export PATH=$home/bin:$PATH FAKE_AWS=$home/aws BARNCAT_RUN_PAUSE=0.1 BARNCAT_STACK=etl

fail() {
  printf 'error: run.sh: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '%s\n' "$2" >&2
  exit 1
}

plan() { # json
  rm -rf "$FAKE_AWS"
  mkdir "$FAKE_AWS"
  printf '%s' "$1" >"$FAKE_AWS/plan.json"
}

# Sets `out`, `err` and `status`.
run() { # arguments…
  status=0
  deploy/ecs/run.sh "$@" >"$home/out" 2>"$home/err" || status=$?
  out=$(cat "$home/out") err=$(cat "$home/err")
}

expect() { # what expected found
  [ "$2" = "$3" ] || fail "$1 is \`$3\`, and should be \`$2\`" "$err"
}

# Prints the log in order, a line once, also what came last, and ends with barncat's status.
plan '{"statuses": ["PROVISIONING", "RUNNING", "RUNNING", "STOPPED"], "code": 1, "failing_looks": [1],
  "log": [["one", "two\twith a tab"], [], ["  three"]]}'
run why 'a "b" \ c' $'tab\there'
expect "the status" 1 "$status"
expect "what is printed" $'one\ntwo\twith a tab\n  three' "$out"
asked=$(grep '"ecs run-task"' "$FAKE_AWS/calls")
[[ $asked == *'"command": ["why", "a \"b\" \\ c", "tab\there"]'* ]] || fail "the command is another one" "$asked"
[[ $asked == *'"subnets": ["subnet-1", "subnet-2"]'* ]] || fail "the subnets are others" "$asked"
[ "$(grep -c '"ecs run-task"' "$FAKE_AWS/calls")" = 1 ] || fail "more than one task was started"

plan '{"statuses": ["STOPPED"], "code": 0, "log": [["{\"run\": 1}"]]}'
run --stack etl --memory 8192 --cpu 2048 -- --output json run
expect "the status" 0 "$status"
expect "what is printed" '{"run": 1}' "$out"
grep -q '"memory": "8192"' "$FAKE_AWS/calls" || fail "--memory is not asked for"

# What is AWS' failure is not taken for barncat's.
plan '{"statuses": ["PENDING", "STOPPED"], "why": "CannotPullContainerError: no such image", "log": []}'
run doctor
expect "the status of what did not start" 125 "$status"
[[ $err == *CannotPullContainerError* ]] || fail "the reason is not told" "$err"
plan '{"refused": "Capacity is unavailable at this time", "statuses": [], "log": []}'
run doctor
expect "the status of what was refused" 125 "$status"
[[ $err == *"Capacity is unavailable"* ]] || fail "the reason is not told" "$err"
run --stack other doctor
expect "the status without a stack" 125 "$status"
run doctor $'\x01'
expect "the status of a strange argument" 125 "$status"
run
expect "the status without a command" 125 "$status"

# Ctrl-C stops the task, and its end is waited for.
plan '{"statuses": ["RUNNING"], "code": 143, "log": [["begun"], ["stopped"]]}'
deploy/ecs/run.sh run >"$home/out" 2>"$home/err" &
pid=$!
for _ in $(seq 600); do
  ! grep -q begun "$home/out" || break
  sleep 0.1
done
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
err=$(cat "$home/err")
expect "the status of what was stopped" 143 "$status"
expect "what is printed" $'begun\nstopped' "$(cat "$home/out")"
printf 'run.sh does what it says\n' >&2

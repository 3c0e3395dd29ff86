#!/usr/bin/env bash
# Runs a barncat command as a task of its own on ECS, prints what it says, and ends with its exit status: the databases are in
# private subnets, and ECS Exec does not work with a read-only root.
#
#   deploy/ecs/run.sh [--stack NAME] [--cpu UNITS --memory MIB] COMMAND [ARGUMENT…]
#
#   deploy/ecs/run.sh doctor
#   deploy/ecs/run.sh why rider_payments
#   deploy/ecs/run.sh backfill orders --from 2026-01-01 --to 2026-02-01
#
# NAME is the stack of base.yaml (default: $BARNCAT_STACK, or barncat). Ctrl-C stops the task as SIGTERM does and waits for its
# end; a second one leaves it alone. CloudWatch keeps one log of stdout and stderr: both come out on stdout here, and `--quiet`
# keeps barncat to its data. Nobody answers questions there: commands that ask take --yes.
#
# Exit status: barncat's; 125 where the task was not started or what became of it is not known, which is said on stderr.
# Needs the AWS CLI, logged in; the rights that it asks for are in docs/PRODUCTION.md.
set -euo pipefail

stack=${BARNCAT_STACK:-barncat}
resources=""
# How long between two looks.
pause=${BARNCAT_RUN_PAUSE:-3}

say() { printf '%s\n' "$@" >&2; }
fail() {
  say "error: $1"
  [ $# -lt 2 ] || say "hint: $2"
  exit 125
}

# A text as JSON. Tabs and line ends alone are let through of what cannot be seen.
quoted() {
  local text=$1
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\t'/\\t}
  [[ $text != *[$'\x01'-$'\x1f']* ]] || fail "an argument holds control characters"
  printf '"%s"' "$text"
}

# JSON's list of texts.
list() {
  local text comma=""
  printf '['
  for text in "$@"; do
    printf '%s' "$comma"
    quoted "$text"
    comma=,
  done
  printf ']'
}

output() { # name
  local value
  value=$(awk -F '\t' -v name="$1" '$1 == name { print $2 }' <<<"$outputs")
  [ -n "$value" ] || fail "the stack $stack has no output $1" "--stack names the one that was made of deploy/ecs/base.yaml"
  printf '%s' "$value"
}

while [ $# -gt 0 ]; do
  case $1 in
    --stack) stack=${2:?--stack needs a name} && shift 2 ;;
    --cpu) resources+=", \"cpu\": $(quoted "${2:?--cpu needs units}")" && shift 2 ;;
    --memory) resources+=", \"memory\": $(quoted "${2:?--memory needs MiB}")" && shift 2 ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
    --) shift && break ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || fail "no command is named" "deploy/ecs/run.sh doctor"
command -v aws >/dev/null || fail "the AWS CLI is missing" "https://aws.amazon.com/cli"
# The CLI itself tries again what passes.
export AWS_PAGER="" AWS_RETRY_MODE=standard AWS_MAX_ATTEMPTS=8

outputs=$(aws cloudformation describe-stacks --stack-name "$stack" --output text \
  --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]') || fail "the stack $stack cannot be read"
cluster=$(output Cluster)
definition=$(output OnceTask)
subnets=$(output Subnets)
group=$(output TaskSecurityGroup)
logs=$(output LogGroup)

command=$(list "$@")
# With the token a request that is sent again, because its answer was lost, starts no second task.
# Ctrl-C waits until it is known which task it would stop.
trap '' INT TERM
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
started=$(aws ecs run-task --cluster "$cluster" --task-definition "$definition" --launch-type FARGATE --count 1 \
  --started-by run.sh --client-token "$token" \
  --network-configuration "awsvpcConfiguration={subnets=[$subnets],securityGroups=[$group],assignPublicIp=DISABLED}" \
  --overrides "{\"containerOverrides\": [{\"name\": \"barncat\", \"command\": $command}]$resources}" \
  --output text --query '[tasks[0].taskArn, failures[0].reason]') || fail "the task was not started"
IFS=$'\t' read -r task reason <<<"$started"
[ "$task" != None ] || fail "the task was not started: $reason"
id=${task##*/}
say "task $id on ${cluster##*/}"

stops=0
# shellcheck disable=SC2317  # the trap calls it
stop() {
  stops=$((stops + 1))
  if [ "$stops" -gt 1 ]; then
    say "the task goes on: aws ecs describe-tasks --cluster $cluster --tasks $id"
    exit 125
  fi
  say "stopping the task; once more leaves it alone"
  aws ecs stop-task --cluster "$cluster" --task "$id" --reason "stopped by hand" --output text --query task.taskArn >/dev/null ||
    say "it could not be stopped"
}
trap stop INT TERM

# Prints what is new in the log. Its stream is there once the container is.
position=""
drain() {
  local answer next
  while :; do
    # shellcheck disable=SC2016  # JMESPath's own quotes
    answer=$(aws logs get-log-events --log-group-name "$logs" --log-stream-name "once/barncat/$id" --start-from-head \
      ${position:+--next-token "$position"} --output text \
      --query '[[[nextForwardToken]], events[].[message]][]' 2>/dev/null) || return 0
    next=${answer%%$'\n'*}
    [[ $answer != *$'\n'* ]] || printf '%s\n' "${answer#*$'\n'}"
    # The same token again: that was all.
    [ "$next" != "$position" ] || return 0
    position=$next
  done
}

# Asks how the task stands: its status, the container's exit status, and why it ended.
misses=0
while :; do
  # shellcheck disable=SC2016  # JMESPath's own quotes
  if seen=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$id" --output text \
    --query 'tasks[0].[lastStatus, containers[?name==`barncat`] | [0].exitCode, stoppedReason]'); then
    misses=0
  else
    seen="" misses=$((misses + 1))
    [ "$misses" -lt 20 ] || fail "what became of task $id is not known" "aws ecs describe-tasks --cluster $cluster --tasks $id"
  fi
  drain
  IFS=$'\t' read -r status code why <<<"$seen"
  [ "$status" != None ] || fail "ECS knows nothing of task $id any more"
  [ "$status" != STOPPED ] || break
  # Not `sleep` alone: a signal is heard at once.
  sleep "$pause" &
  wait $! || true
done
# The last lines arrive after the task's end is known.
for _ in 1 2; do
  sleep "$pause"
  drain
done
[ "$code" != None ] || fail "barncat was not started, or killed: $why" "docs/RUNBOOK.md#runfailed"
exit "$code"

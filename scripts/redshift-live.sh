#!/usr/bin/env bash
# Tries barncat on a Redshift of yours: a project's life by the command line, checked by queries of the
# test's own, and the questions that no documentation answers, with what differs from what is assumed.
# The source and the control database are throwaway servers on this machine. On your side it needs
#
#   REDSHIFT_LIVE_WORKGROUP or REDSHIFT_LIVE_CLUSTER (with REDSHIFT_LIVE_DB_USER, if you like)
#   REDSHIFT_LIVE_DATABASE      a database for this alone: schemas are made in it, and dropped
#   REDSHIFT_LIVE_STAGE         s3://bucket/folder, for this alone
#   REDSHIFT_LIVE_COPY_ROLE     the ARN of the role by which COPY reads it
#   REDSHIFT_LIVE_REGION, REDSHIFT_LIVE_STAGE_REGION   where the AWS tools do not find them
#
# and credentials as the AWS tools find them, with the policy of docs/REDSHIFT.md.
set -euo pipefail

cd "$(dirname "$0")/.."

missing=()
for name in DATABASE STAGE COPY_ROLE; do
  variable=REDSHIFT_LIVE_$name
  [ -n "${!variable:-}" ] || missing+=("$variable")
done
[ -n "${REDSHIFT_LIVE_WORKGROUP:-}${REDSHIFT_LIVE_CLUSTER:-}" ] || missing+=(REDSHIFT_LIVE_WORKGROUP)
if [ ${#missing[@]} -gt 0 ]; then
  printf 'error: %s: not set\n' "${missing[*]}" >&2
  printf 'hint: the head of scripts/redshift-live.sh says what each of them is\n' >&2
  exit 1
fi

if ! scripts/servers.sh status >/dev/null 2>&1; then
  trap 'scripts/servers.sh down' EXIT
  trap 'exit 130' INT TERM
  scripts/servers.sh up
fi
set -a
# shellcheck disable=SC1091  # made by servers.sh
. target/servers/env
set +a
PATH=$BARNCAT_SERVERS_BIN:$PATH
cargo test --quiet --features failpoints --test it -- --ignored --nocapture --test-threads 1 on_a_cluster a_cluster_is_asked

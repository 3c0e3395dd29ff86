#!/usr/bin/env bash
# Holds deploy/ against linters and parsers that nobody here wrote, and the runbook against what it must tell of.
# scripts/check.sh calls it; scripts/static-check.sh proves what the image holds.
set -uo pipefail

cd "$(dirname "$0")/.." || exit
home=target/deploy-check

if ! cmp --silent scripts/deploy-check.txt $home/deploy-check.txt; then
  python3 -m venv --clear $home || {
    printf 'hint: install python3 with its venv (apt-get install python3-venv)\n' >&2
    exit 1
  }
  $home/bin/pip install --quiet --disable-pip-version-check --requirement scripts/deploy-check.txt &&
    cp scripts/deploy-check.txt $home/deploy-check.txt || exit
fi

failed=()
try() { # name command…
  "${@:2}" || failed+=("$1")
}

try "CloudFormation (cfn-lint)" $home/bin/cfn-lint deploy/ecs/*.yaml
# --skip-download: nothing is asked of its makers' service.
try "CloudFormation (checkov)" $home/bin/checkov --quiet --compact --skip-download --framework cloudformation \
  --directory deploy/ecs
try "Dockerfile" $home/bin/hadolint deploy/Dockerfile
try "compose.yaml" $home/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
try "alert rules and runbook" $home/bin/python scripts/deploy-check.py
try "run.sh" scripts/try-run-sh.sh $home/bin/python

if [ ${#failed[@]} -gt 0 ]; then
  printf 'error: %s\n' "${failed[@]/%/ is not as it should be}" >&2
  exit 1
fi

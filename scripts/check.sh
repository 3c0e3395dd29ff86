#!/usr/bin/env bash
# What CI asks for beside the tests. All of it runs, so that one look shows every complaint.
set -uo pipefail

cd "$(dirname "$0")/.." || exit

failed=()
step() { # name command…
  printf '== %s\n' "$1" >&2
  "${@:2}" || failed+=("$1")
}

# SQL and calls that the tests sent to Redshift's double, judged by what others wrote.
judge() {
  local home=target/judge
  if ! cmp --silent scripts/judge.txt $home/judge.txt; then
    python3 -m venv --clear $home || {
      printf 'hint: install python3 with its venv (apt-get install python3-venv)\n' >&2
      return 1
    }
    $home/bin/pip install --quiet --disable-pip-version-check --requirement scripts/judge.txt &&
      cp scripts/judge.txt $home/judge.txt || return
  fi
  $home/bin/python scripts/judge.py target/redshift-record
}

step "format" cargo fmt --all --check
# The features are those of the tests, so that the two share what they build.
step "lints" cargo clippy --quiet --workspace --all-targets --all-features -- -D warnings
step "docs" env RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --all-features
if command -v shellcheck >/dev/null; then
  step "scripts" shellcheck -x scripts/*.sh scripts/bench-peers/inside/*.sh deploy/ecs/*.sh .ci/run
else
  printf 'scripts: not looked at, for lack of shellcheck (apt-get install shellcheck)\n' >&2
fi
step "Redshift's SQL and calls" judge
step "planted bugs" git apply --check scripts/torture/planted/*.patch
step "deploy" scripts/deploy-check.sh
if cargo deny --version >/dev/null 2>&1; then
  step "licences and bans" cargo deny --offline --all-features check bans licenses sources
fi

if [ ${#failed[@]} -gt 0 ]; then
  printf 'error: %s\n' "${failed[@]/%/ failed}" >&2
  exit 1
fi

#!/usr/bin/env bash
# Hostile inputs for whatever reads a text of somebody else's, for so many seconds a target: scripts/fuzz.sh [SECONDS] [TARGET].
# Needs no servers. What fails is kept in tests/corpus, and replayed by each later run before all else.
# BARNCAT_FUZZ_SEED=… makes the same inputs again; targets run side by side.
set -euo pipefail

cd "$(dirname "$0")/.."

export BARNCAT_FUZZ_SECONDS=${1:-300}
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --lib --features failpoints --test-threads num-cpus --success-output immediate \
    --status-level pass -E "test(/^fuzz::${2:-}/)"
else
  cargo test --lib --features failpoints -- "fuzz::${2:-}" --nocapture
fi

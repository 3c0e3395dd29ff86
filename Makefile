# What people and CI run. `make` and `make help` list it.

.PHONY: help demo demo-redshift demo-down test crash fuzz browser faults soak reference redshift-double redshift-live check bench bench-peers torture fmt
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## all of it from nothing: servers, data, build, run, comparison (SCALE=0.1 for less data)
	@scripts/demo.sh up

demo-redshift: ## the same into a double of Redshift, by the Data API and then by wire
	@scripts/demo.sh up redshift redshift-wire

demo-down: ## stops the servers of both and removes what they made
	@scripts/demo.sh down

test: ## the tests, on throwaway servers (ARGS='-E "test(swap)"' for some of them)
	@scripts/test.sh $(ARGS)

crash: ## the tests that kill runs, services and backfills at each point where that could hurt
	@scripts/test.sh --profile crash $(ARGS)

fuzz: ## hostile inputs for all that reads texts of others, 5 minutes a target (SECONDS=20 for less, TARGET=records for one)
	@scripts/fuzz.sh $(or $(SECONDS),300) $(TARGET)

browser: ## the dashboard in headless Chromium, on the demo's history (ARGS=--write keeps its pictures in docs/)
	@scripts/browser-test.sh $(ARGS)

faults: ## 60 simulated days and 30 data faults: what the demo's checks find (ARGS=--write writes docs/FAULTS.md)
	@scripts/faults.sh $(ARGS)

soak: ## 40 minutes of a service that is killed, whose servers restart and whose clocks step (MINUTES=3 for less)
	@scripts/soak.sh $(MINUTES)

torture: ## 20 minutes of random faults on random projects, watched by observers (MINUTES=5 for less, SEED=N for the same again)
	@scripts/torture.sh $(or $(MINUTES),20) $(SEED)

redshift-double: ## a double of Redshift with an S3 server, by hand, until Ctrl-C (ARGS=--print shows its statements)
	@scripts/redshift-double.sh run $(ARGS)

redshift-live: ## a project's life on a Redshift of yours, and what nobody could confirm (its head says which variables)
	@scripts/redshift-live.sh

reference: ## writes docs/REFERENCE.md and docs/openapi.json, as the code has them
	@BARNCAT_WRITE=1 cargo test --quiet --lib --features failpoints -- the_reference_is the_description_is || true
	@git diff --stat -- docs/REFERENCE.md docs/openapi.json

check: ## formatting, lints, docs, scripts
	@scripts/check.sh

bench: ## speed and memory against psql's binary pipe, as JSON (ROWS=500000 RUNS=3 for less)
	@scripts/bench.sh

bench-peers: ## the same beside sling, dlt, ingestr, DuckDB and pgcopydb, five workloads, hours (ROWS=500000 RUNS=1 WORKLOADS=orders PEERS="pipe barncat" for less)
	@scripts/bench-peers.sh

fmt: ## formats the code
	@cargo fmt --all

# What people and CI run. `make` and `make help` list it.

.PHONY: help demo demo-down test redshift-live check bench fmt
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## all of it from nothing: servers, data, build, run, comparison (SCALE=0.1 for less data)
	@scripts/demo.sh up

demo-down: ## stops the demo's servers and removes what it made
	@scripts/demo.sh down

test: ## the tests, on throwaway servers (ARGS='-E "test(swap)"' for some of them)
	@scripts/test.sh $(ARGS)

redshift-live: ## a project's life on a Redshift of yours, and what nobody could confirm (its head says which variables)
	@scripts/redshift-live.sh

check: ## formatting, lints, docs, scripts: what CI asks for beside the tests
	@scripts/check.sh

bench: ## speed and memory against psql's binary pipe, as JSON (ROWS=500000 RUNS=3 for less)
	@scripts/bench.sh

fmt: ## formats the code
	@cargo fmt --all

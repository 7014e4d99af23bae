# Two commands are enough: `make run` and `make test`. `make help` names the others.

SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
PY := $(BIN)/python
FLASK := $(BIN)/flask --app wsgi

ROOMS := $(wildcard wsgi.py config.py commands core models domain providers printing web api \
	dashboard sandbox bench)
CHECKED := $(ROOMS) $(wildcard scripts/*.py gunicorn.conf.py) tests

# pytest-xdist: one worker more than there are cores, since tests of processes and browsers wait for them
# much of their time; five at most, so that the databases and browsers keep up
JOBS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ "$$n" -gt 4 ] && n=4; echo "$$((n + 1))")
ARGS ?=

.PHONY: help run test soak bench lint types fmt migrate lock audit venv dev rig clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: venv ## start web, worker and sandbox together, in the foreground; Ctrl-C stops all
	@exec $(FLASK) run-all

test: dev rig ## run the whole suite on both databases and in a real browser; ARGS="-k word" narrows it
	@$(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

soak: dev rig ## run the long tests (random kills, floods); takes its time
	@$(PY) -m pytest -m soak --timeout 3600 $(ARGS)

bench: dev rig ## measure and print the figures of docs/measurements.md; ARGS="ingest" narrows it
	@$(PY) -m bench $(ARGS)

lint: dev ## style, import contracts, templates, known-bad patterns
	@$(PY) scripts/lint.py

types: dev ## mypy, strict
	@$(BIN)/mypy $(CHECKED)

fmt: dev ## format the code
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

migrate: dev ## write a new migration: make migrate m="add payouts"
	@test -n "$(m)" || { echo 'say what it does: make migrate m="add payouts"'; exit 2; }
	@$(PY) scripts/migrate.py "$(m)"

lock: dev ## compile requirements*.in into requirements*.txt with hashes for every platform
	@sh scripts/lock.sh $(ARGS)

audit: dev ## look the pinned packages up among known vulnerabilities
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements.txt

venv: ## make .venv and install what Paydesk runs on (done by the others when needed)
	@sh scripts/venv.sh run

dev: # the same plus the tools of the checks
	@sh scripts/venv.sh dev

rig: # the browser and the database binaries of the tests
	@$(PY) -m scripts.provide

clean: ## remove .venv and the tools' caches; databases in instance/ stay
	@rm -rf .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

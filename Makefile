# The project's commands. `make help` lists them; the first one prepares what the others need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
PART   ?= sim

.DEFAULT_GOAL := help
.PHONY: help ready demo test check bench prove docs pins clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

ready: $(STAMP)  ## prepare the virtual environment (the other commands do it by themselves)

$(STAMP): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Restante needs Python 3.11 or later; name one with PYTHON=…"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "This Python cannot make virtual environments; on Debian, install the package python3-venv."; exit 1; }
	@echo "[1/3] Making a virtual environment in $(VENV) (a few seconds)"
	@test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "[2/3] Installing the pinned packages (about a minute the first time, some 120 MB to fetch)"
	@$(PIP) install --progress-bar on --require-hashes --requirement constraints.txt > $(VENV)/install.log 2>&1 & \
	  pid=$$!; while kill -0 $$pid 2>/dev/null; do sleep 1; \
	    printf '\r      %3d packages fetched' "$$(grep -c '^Collecting ' $(VENV)/install.log)"; done; echo; \
	  wait $$pid || { tail -n 20 $(VENV)/install.log; echo "Installing failed; the whole story: $(VENV)/install.log"; exit 1; }
	@echo "[3/3] Linking the project into it"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## watch a living network in the terminal (Ctrl-C ends it)
	@$(BIN)/restante demo $(ARGS)

test: $(STAMP)  ## run the whole test suite with coverage (at most 15 minutes on 2 cores)
	@echo "Running all tests with branch coverage; this takes some minutes."
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --cov --cov-report term:skip-covered $(ARGS)

check: $(STAMP)  ## check rings, types, style, sizes and documentation (about a minute)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pytest tests/house --quiet

bench: $(STAMP)  ## measure custody transitions per second beside the best plain SQL (some minutes)
	@$(BIN)/restante bench $(ARGS)

prove: $(STAMP)  ## run one long proof: make prove PART=sim (up to 2 hours, can be resumed)
	@$(BIN)/restante prove $(PART) $(ARGS)

docs: $(STAMP)  ## write docs/reference again from the code
	@$(BIN)/python -m tools.reference

pins:  ## resolve every package anew into constraints.txt (some minutes)
	@$(PYTHON) -m venv .cache/pins && .cache/pins/bin/python -m pip install --quiet pip-tools
	@.cache/pins/bin/pip-compile --quiet --all-extras --generate-hashes --strip-extras --allow-unsafe --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --annotation-style=line \
	  --output-file .cache/pins/found.txt pyproject.toml
	@{ sed -n '/^#/!q;p' constraints.txt; \
	  sed '/^restante @/d; /^# /d; s/restante, restante (pyproject.toml)/restante/; s/restante (pyproject.toml)/restante/' \
	    .cache/pins/found.txt; } > .cache/pins/new.txt
	@! grep -n '://' .cache/pins/new.txt && mv .cache/pins/new.txt constraints.txt

clean:  ## remove the virtual environment and what the tests left behind
	@rm -rf $(VENV) .coverage .coverage.* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# The project's commands. `make help` lists them; the first one prepares what the others need.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUNS   := $(VENV)/.can-run
STAMP  := $(VENV)/.can-develop
LOG    := $(VENV)/install.log
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input
PART   ?= sim

.DEFAULT_GOAL := help
.PHONY: help ready demo test check bench prove docs pins clean

help:  ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

ready: $(STAMP)  ## prepare the virtual environment (the other commands do it by themselves)

# Installs what stands in wanted.txt, and says how far it is.
define install
	@total=$$(grep -c '^[a-z]' $(VENV)/wanted.txt); n=0; \
	  $(PIP) install --require-hashes --requirement $(VENV)/wanted.txt > $(LOG) 2>&1 & pid=$$!; \
	  while kill -0 $$pid 2>/dev/null; do sleep 1; n=$$((n + 1)); \
	    at=$$(grep -cE '^(Collecting|Requirement already)' $(LOG)); \
	    if [ -t 1 ]; then printf '\r      %d of %d packages fetched, %d s' $$at $$total $$n; fi; \
	  done; if [ -t 1 ]; then echo; fi; \
	  wait $$pid || { tail -n 20 $(LOG); echo "Installing failed; the whole story: $(LOG)"; exit 1; }
endef

$(RUNS): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Restante needs Python 3.11 or later; name one: make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "This Python cannot make virtual environments; on Debian, install the package python3-venv."; exit 1; }
	@echo "[1/3] A virtual environment in $(VENV) (a few seconds)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "[2/3] The packages of a running network (half a minute; some 80 MB)"
	@sed '/^# What development adds/,$$d' constraints.txt > $(VENV)/wanted.txt
	$(install)
	@echo "[3/3] The project itself"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMP): $(RUNS)
	@echo "[+] The packages of development (a minute; some 150 MB)"
	@cp constraints.txt $(VENV)/wanted.txt
	$(install)
	@touch $@

demo: $(RUNS)  ## watch a living network in the terminal (Ctrl-C ends it)
	@$(BIN)/restante demo $(ARGS)

# Floors of coverage hold for the whole suite: nine tenths of everything (pyproject.toml), every branch of core (here).
test: $(STAMP)  ## run the whole test suite with coverage (at most 15 minutes on 2 cores)
	@echo "Running all tests with branch coverage; this takes some minutes."
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	  --cov --cov-report term:skip-covered \
	  $(if $(ARGS),--cov-fail-under=0) $(ARGS)
ifndef ARGS
	@report=$$($(BIN)/python -m coverage report --include='src/restante/core/*' --fail-under=100) \
	  || { echo "$$report"; echo "Every line and branch of core has to be covered; see above."; exit 1; }
endif

check: $(STAMP)  ## check rings, types, style, sizes and documentation (about a minute)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m mypy
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m pytest tests/house --quiet

bench: $(RUNS)  ## measure everything beside its goals, with one table at the end (three quarters of an hour)
	@$(BIN)/restante bench $(ARGS)

# Mutants are tried with the tests, so that part needs the packages of development.
prove: $(if $(filter mutants,$(PART)),$(STAMP),$(RUNS))  ## run one long proof: make prove PART=sim (up to 2 hours, can be resumed)
	@$(if $(filter mutants,$(PART)),$(BIN)/python -m tools.mutants,$(BIN)/restante prove $(PART)) $(ARGS)

docs: $(STAMP)  ## write docs/reference again from the code
	@$(BIN)/python -m tools.reference

pins:  ## resolve every package anew into constraints.txt (some minutes)
	@PYTHON=$(PYTHON) tools/pins.sh

clean:  ## remove the virtual environment and what the tests left behind
	@rm -rf $(VENV) .coverage .coverage.* htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

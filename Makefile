# From a fresh clone, with python3 and make:  `make run` shows the product, `make test` checks it.
#
# .venv is built when it is missing, brought up to date when pyproject.toml changed, and left alone otherwise.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
EXAMPLES ?= 200
KILLS  ?= 500
SEED   ?= 1
WALKS  := tests/browser
TOOLS  := $(WALKS)/node_modules/.package-lock.json
SEEDS  ?= 100
FIRST  ?= 0
SIZE   ?= typical

# Empty when the environment is missing, unfinished, or made by a Python that has gone since.
WORKS  := $(shell $(BIN)/python -c 'import pip; print("yes")' 2>/dev/null)
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

# Where it is set, a hundred processes of the tests compile everything anew, each for itself.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test long fuzz simulate kill screenshots clean rebuild
.DELETE_ON_ERROR:

help:  ## This list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

run: $(VENV)/.product  ## The demo: daemon, simulated router and IntaSend, two phones. ARGS="--port 9000"
	@$(BIN)/hotspot-gateway demo $(ARGS)

test: $(VENV)/.tests $(TOOLS)  ## Lint, types and every test that takes no time. ARGS="-k expiry" goes to pytest
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest --numprocesses 2 -m "not long" $(ARGS)

long: $(VENV)/.tests $(TOOLS)  ## The other tests: death at each step, power cuts, kills, every page of the portal
	@$(BIN)/python -m pytest --numprocesses 2 -m long $(ARGS)

fuzz: $(VENV)/.tests  ## Everything that schemathesis can think of, against the API's own description. EXAMPLES=1000
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/test_fuzz.py $(ARGS)

kill: $(VENV)/.tests  ## SIGKILL the real process at random moments, over and over. KILLS=500 SEED=1
	@KILLS=$(KILLS) SEED=$(SEED) $(BIN)/python -m pytest tests/e2e/test_fault_kill.py $(ARGS)

screenshots: $(VENV)/.tests $(TOOLS)  ## Every page of the portal, photographed into docs/images
	@PICTURES=docs/images REQUIRE_BROWSER=1 $(BIN)/python -m pytest $(WALKS)/test_every_page.py $(ARGS)

simulate: $(VENV)/.tests  ## Customers and faults by the thousand, in virtual time. SEEDS=100000 FIRST=0 SIZE=short
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) --size $(SIZE) $(ARGS)

clean:  ## Removes .venv and what the tools left behind
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(WALKS)/node_modules
	find gateway tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Running needs the product's dependencies only, so that a small machine can; the tests' environment can run as well.
$(VENV)/.product: pyproject.toml $(if $(WORKS),,rebuild)
	@echo "installing hotspot-gateway into $(VENV)"
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.tests: pyproject.toml $(if $(WORKS),,rebuild)
	@echo "installing hotspot-gateway and its tests into $(VENV)"
	@$(PIP) install --editable '.[test]'
	@touch $(VENV)/.product $@

# For the browser's tests, which say at the end of a run what they miss: `make test` works without npm and without a network.
$(TOOLS): $(WALKS)/package-lock.json
	@if command -v npm >/dev/null; then echo "installing the tools of $(WALKS)"; \
	  npm ci --prefix $(WALKS) --silent --ignore-scripts && touch $@ || echo "npm could not fetch them" >&2; fi

rebuild:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hotspot-gateway needs Python 3.11 or later," \
	  "and $(PYTHON) is `$(PYTHON) --version`; name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments:" \
	  "install python3-venv (Debian, Raspberry Pi OS: sudo apt install python3-venv)" >&2; exit 1; }
	@echo "making $(VENV) with `$(PYTHON) --version`"
	@$(PYTHON) -m venv --clear $(VENV)

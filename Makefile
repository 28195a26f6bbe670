# From a fresh clone, with python3 and make:  `make run` shows the product, `make test` checks it.
#
# .venv is built when it is missing, brought up to date when pyproject.toml changed, and left alone otherwise.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
EXAMPLES ?= 200

# Empty when the environment is missing, unfinished, or made by a Python that has gone since.
WORKS  := $(shell $(BIN)/python -c 'import pip; print("yes")' 2>/dev/null)
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help run test fuzz clean rebuild
.DELETE_ON_ERROR:

help:  ## This list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

run: $(VENV)/.product  ## The demo: daemon, simulated router and IntaSend, two phones. ARGS="--port 9000"
	@$(BIN)/hotspot-gateway demo $(ARGS)

test: $(VENV)/.tests  ## Lint, types and every test. ARGS="-k expiry" goes to pytest
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest --numprocesses 2 $(ARGS)

fuzz: $(VENV)/.tests  ## Everything that schemathesis can think of, against the API's own description. EXAMPLES=1000
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/test_fuzz.py $(ARGS)

clean:  ## Removes .venv and what the tools left behind
	rm -rf $(VENV) *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
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

rebuild:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there: install Python 3.11 or later" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "hotspot-gateway needs Python 3.11 or later," \
	  "and $(PYTHON) is `$(PYTHON) --version`; name a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments:" \
	  "install python3-venv (Debian, Raspberry Pi OS: sudo apt install python3-venv)" >&2; exit 1; }
	@echo "making $(VENV) with `$(PYTHON) --version`"
	@$(PYTHON) -m venv --clear $(VENV)

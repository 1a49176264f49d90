# What people do with this checkout. Each target makes the environment it needs in .venv, once.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo lab test bench docs lint guest clean
.DELETE_ON_ERROR:

VENV := .venv
BIN  := $(VENV)/bin
# npm of the environment, for the browser's half of the widgets; what it needs came with the install.
NPM  := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm --prefix widgets --silent
# The first interpreter found that is new enough; `make PYTHON=/path/to/python3` chooses another.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11 python, \
            $(shell $(p) -c 'import sys; sys.version_info >= (3, 11) and print("$(p)")' 2>/dev/null)))

LESSONS := $(wildcard notebooks/*.ipynb)

# Jupyter asks root, as whom people work in containers, to say that it is meant.
ROOT_TOO = $(if $(filter 0,$(shell id -u)),--allow-root)

help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.lab ## boot Debian in the quickstart notebook, headless; results in build/demo/
	$(BIN)/python notebooks/run.py

lab: $(VENV)/.lab ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab $(ROOT_TOO) --notebook-dir=notebooks \
	  --LabApp.default_url=/lab/tree/01-quickstart.ipynb

test: lint $(VENV)/.browser ## lint, then the whole test suite
	$(NPM) test
	$(BIN)/pytest -n 2 --dist loadgroup

lint: $(VENV)/.dev ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(NPM) run check

bench: $(VENV)/.browser ## the tables of benchmarks/README.md, measured here; WRITE=--write puts them there
	$(BIN)/python benchmarks/cpu.py $(WRITE)
	$(BIN)/python benchmarks/linux.py $(WRITE)
	$(BIN)/python benchmarks/boot.py $(WRITE)
	$(BIN)/python benchmarks/idle.py $(WRITE)
	$(BIN)/python benchmarks/devices.py $(WRITE)
	$(BIN)/python benchmarks/net.py $(WRITE)
	$(BIN)/python benchmarks/share.py $(WRITE)
	$(BIN)/python benchmarks/page.py $(WRITE)
	$(BIN)/python benchmarks/stats.py
	$(BIN)/python benchmarks/screen.py

docs: $(VENV)/.docs $(LESSONS:%=build/%) ## these documents as a site in build/docs, with the notebooks executed
	$(BIN)/sphinx-build --fail-on-warning --quiet --jobs auto -c docs -d build/doctrees \
	  -D executed_notebooks=build/notebooks . build/docs
	@echo "Written: build/docs/index.html"

build/notebooks/%.ipynb: notebooks/%.ipynb | $(VENV)/.docs
	$(BIN)/python notebooks/run.py $< --output build/notebooks

guest: $(VENV)/.dev ## rebuild the embedded guest, vnb/guest/labos.elf
	$(BIN)/python -m vnb.guest.build

clean: ## remove what make made (the download cache of guest images stays)
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf widgets/node_modules vnb/widgets/static
	find vnb tests benchmarks notebooks -name __pycache__ -prune -exec rm -rf {} +

# The stamps: an environment is made again only when what it is built from has changed.
$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "vnb needs Python 3.11 or newer, and found none on PATH." \
	  "Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "vnb needs Python 3.11 or newer; $(PYTHON) is older or does not run." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module." \
	  "On Debian and Ubuntu it comes with the python3-venv package." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.lab $(VENV)/.docs $(VENV)/.dev: $(VENV)/.%: pyproject.toml $(wildcard widgets/src/* widgets/*.*) | $(VENV)/.python
	@echo "Installing vnb and what its [$*] extra needs into $(VENV) (once; some minutes)"
	@$(BIN)/python -m pip install --quiet --editable '.[$*]' || { \
	  echo "pip could not install vnb's dependencies (its own message is above)." \
	  "Can this machine reach a Python package index?" >&2; exit 1; }
	@touch $@

# The tests of the widgets need a real browser: the system's Chromium, or else one that is installed.
$(VENV)/.browser: | $(VENV)/.dev
	@command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	       && apt-get update -q && apt-get install -q --yes --no-install-recommends chromium; } \
	  || $(BIN)/playwright install --with-deps chromium \
	  || { echo "The tests need Chromium, which could be installed neither by apt-get nor by" \
	       "Playwright. Install it and try again." >&2; exit 1; }
	@touch $@

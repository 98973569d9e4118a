# The two commands: `make repro` and `make test`. Each sets up its own virtual environment first, from pinned packages.
PYTHON ?= python3
EXTRAS ?=
VENV := .venv
export DVC_NO_ANALYTICS := 1
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help setup repro demo check test architecture verify bench readme clean
help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# A stamp holds what was installed; a changed list installs again. `pip install` runs once, as a whole, or not at all.
$(VENV)/.runtime: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vltune needs Python 3.11 or newer, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -r requirements-dev.txt
	touch $@

$(VENV)/.extra-%: requirements-%.txt $(VENV)/.runtime
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -r $<
	touch $@

# EXTRAS=clip adds what CLIPScore needs.
setup: $(VENV)/.runtime $(EXTRAS:%=$(VENV)/.extra-%)  ## Create .venv with the pinned packages and the command .venv/bin/vltune

repro: setup  ## Run the whole pipeline: data, features, all methods, scores, report
	PYTHONPATH=src python -m vltune.commands.repro

demo: setup $(VENV)/.extra-demo  ## Install what the demo needs, and serve it: all methods on an image of yours
	vltune demo

# Two workers, each test file on one of them; a thread each, as both cores are taken.
PYTEST := OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev  ## Check the style and run the quick tests: units and contracts, within a minute
	ruff check .
	$(PYTEST) -m "not slow" tests/contracts tests/unit

test: $(VENV)/.dev  ## Check the style and run all tests
	ruff check .
	$(PYTEST)

architecture: setup  ## Draw the arrows between the rooms of src/vltune into docs/architecture.md
	python tests/contracts/rooms.py --write

verify: setup  ## Make everything again in a temporary clone of HEAD, and compare every hash with dvc.lock
	PYTHONPATH=src python -m vltune.cli verify

bench: $(VENV)/.dev  ## Measure steps, features, captions and processes against peers and limits (results/benchmarks.md), and a comparison
	python benchmarks/table.py
	python benchmarks/comparison.py

readme: setup  ## Copy the result table that the pipeline wrote into README.md
	PYTHONPATH=src python -m vltune.report.readme

clean:  ## Delete the virtual environment and the scratch folder (data, models and the cache of DVC stay)
	rm -rf $(VENV) .work

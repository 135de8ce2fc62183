# Everything is set up by make itself, from nothing but Python 3.11 or newer: see `make help`.
# A stamp file in an environment says that it is newer than what it is made from.

PYTHON ?= python3
VENV   := .venv
RIVALS := .venv-rivals
BIN    := $(VENV)/bin
PIP     = -m pip install --quiet --disable-pip-version-check
ARGS   ?=
SLUG   ?=

export MPLBACKEND ?= Agg

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format types contracts docs examples bench record pytorch rivals clean distclean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.stamp-demo ## store, damage and retrieve real images; pictures in out/recall
	$(BIN)/attrax recall --out out/recall

test: $(VENV)/.stamp-test ## the tests; ARGS="-k memory" chooses some
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

lint: $(VENV)/.stamp-dev ## style of the code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.stamp-dev ## put the code into style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.stamp-dev ## static types
	$(BIN)/pyright

contracts: $(VENV)/.stamp-dev ## which part may import which
	$(BIN)/lint-imports

docs: $(VENV)/.stamp-dev ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

examples: $(VENV)/.stamp-dev ## run the examples, and keep what they print and draw for the docs
	$(BIN)/python docs/_examples.py

bench: $(RIVALS)/.stamp ## speed beside other libraries
	$(RIVALS)/bin/python -m pytest benchmarks --override-ini addopts=--import-mode=importlib \
		--override-ini filterwarnings=default --benchmark-only $(ARGS)

pytorch: $(RIVALS)/.stamp ## the tests of the door for PyTorch, which others skip without it
	$(RIVALS)/bin/python -m pytest tests/pytorch tests/test_pages.py -k "pytorch" $(ARGS)

record: $(VENV)/.stamp-test ## run systems in full and keep the results; SLUG="hopfield-1982"
	$(BIN)/python .ci/record.py $(SLUG)

rivals: $(RIVALS)/.stamp ## the environment for `bench`: attrax and other libraries

clean: ## remove what was built; environments stay
	rm -rf out site dist .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks

distclean: clean ## remove the environments too
	rm -rf $(VENV) .venv-*

# An editable installation follows the sources by itself; its metadata come from these two files.
METADATA := pyproject.toml src/attrax/version.py

$(VENV)/.stamp-python $(RIVALS)/.stamp-python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else \
		"attrax needs Python 3.11 or newer; choose one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(@D)
	@touch $@

$(VENV)/.stamp-demo: $(VENV)/.stamp-python $(METADATA)
	@echo "Installing attrax into $(VENV), about a minute the first time ..."
	$(BIN)/python $(PIP) --editable '.[plot]'
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-python $(METADATA)
	@echo "Installing attrax and its tests into $(VENV), about a minute the first time ..."
	$(BIN)/python $(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-test
	$(BIN)/python $(PIP) --editable '.[dev]'
	@touch $@

$(RIVALS)/.stamp: $(RIVALS)/.stamp-python $(METADATA)
	$(RIVALS)/bin/python $(PIP) torch==2.13.0 hopfieldnetwork hopfieldkit kanervasdm entmax --editable '.[bench]'
	@touch $@

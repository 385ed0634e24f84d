# The commands of the project. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all coverage mutants faults check fix bench docs clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev --group docs --editable '.[all]'
	@touch $(STAMP)

setup: $(STAMP) ## install everything into .venv and compile the kernels
	$(BIN)/python -m allotment.jobs.warm

demo: setup ## build a sample world, rebalance it and show the result
	$(BIN)/allotment demo || test $$? -eq 3 # 3: done, with accounts to look at

test: setup ## run the tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow"

test-all: setup ## run the tests, the slow ones too
	$(BIN)/python -m pytest -n 2 --dist loadgroup

coverage: setup ## branch coverage of the law, compiled code run as Python
	$(BIN)/python tools/law_coverage.py

mutants: setup ## change the law one operator at a time: does a test notice? (half an hour)
	$(BIN)/python tools/mutants.py

faults: setup ## kill the writer and the server two hundred times each while they post (an hour)
	ALLOTMENT_KILLS=200 $(BIN)/python -m pytest tests/journeys/test_faults.py

check: setup ## format, lint, types, import contracts, dependencies, tidy tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry src
	$(BIN)/python tools/tidy.py

fix: setup ## repair format and lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## measure speed, memory and the risk model; results in bench/
	$(BIN)/allotment bench

docs: setup ## build the documentation into site/
	$(BIN)/mkdocs build --strict

clean: ## remove what was built
	rm -rf $(VENV) site dist .mypy_cache .ruff_cache .pytest_cache

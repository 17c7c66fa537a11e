# make run · make test · make test-all · make lint · make benchmark
# Each builds .venv when it is missing or setup.cfg has changed.

PYTHON ?= python3
BIN := .venv/bin
# Two files at a time: tests wait for processes and compilers more than for cores.
# Files in the order of tests/conftest.py, not by their number of tests.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-all lint format benchmark clean

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

run: .venv/installed
	$(BIN)/python examples/quickstart.py

test: .venv/installed
	$(BIN)/python -m pytest -m "not slow" $(SIDE_BY_SIDE)

test-all: .venv/installed
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: .venv/installed
	$(BIN)/python benchmarks/masking.py

clean:
	rm -rf .venv .pytest_cache .ruff_cache build *.egg-info

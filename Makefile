# make run · make test · make test-all · make lint · make benchmark
# Each builds .venv when it is missing or setup.cfg has changed.

PYTHON ?= python3
BIN := .venv/bin
# Two files at a time: tests wait for processes and compilers more than for cores.
# Files in the order of tests/conftest.py, not by their number of tests.
SIDE_BY_SIDE := --numprocesses 2 --dist loadfile --no-loadscope-reorder
# Part after part, each in new processes, so that none of them grows beyond 2 GB.
PARTS := "tests/test_*.py tests/data_gen tests/faults" "tests/exports/portable tests/exports/serving" \
	"tests/exports/test_[a-m]*.py" "tests/exports/test_[n-z]*.py" \
	"tests/keras_bert/checkpoints tests/keras_bert/layers" "tests/keras_bert/models" \
	"tests/keras_bert/reports tests/keras_bert/tasks" "tests/keras_bert/text" \
	"tests/keras_bert/test_*.py tests/keras_bert/training"

.PHONY: run test test-all lint format benchmark clean

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	touch $@

run: .venv/installed
	$(BIN)/python examples/quickstart.py

test: .venv/installed
	@status=0; for part in $(PARTS); do \
		$(BIN)/python -m pytest -m "not slow" $(SIDE_BY_SIDE) $$part || status=1; \
	done; exit $$status

test-all: .venv/installed
	@status=0; for part in $(PARTS); do \
		$(BIN)/python -m pytest $(SIDE_BY_SIDE) $$part || status=1; \
	done; exit $$status

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

# make demo   set everything up and run the main job on the shipped sample
# make test   set everything up, lint, check types and import floors, build the documentation, run all tests
# make check  lint, types, floors, and the fast tests only
# make fuzz   an hour of mutated input of every kind; failures go to build/fuzz
# make docs   build the documentation in build/docs; every warning is an error

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check lint docs fuzz setup clean

demo: setup
	$(BIN)/seenn-convert demo

test: lint docs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --durations=15

check: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow" --durations=15

docs: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -E -W -n --keep-going -q docs build/docs

fuzz: setup
	cd tests && PYTHONPATH=.. ../$(BIN)/python -m fuzz --keep ../build/fuzz $(FUZZ)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch .venv/ready

clean:
	rm -rf .venv demo-output build docs/generated

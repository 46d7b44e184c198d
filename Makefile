# Two commands and nothing before them: `make demo`, `make test`. `make check` is "am I done".
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test check browser format clean

demo: $(READY)
	$(BIN)/edgewright demo --out edgewright-demo

test: $(READY)
	$(BIN)/python -m pytest -n 2

browser: $(READY)
	$(BIN)/python -m pytest -m browser

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv edgewright-demo .mypy_cache .ruff_cache .pytest_cache

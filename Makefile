# Everything from nothing: `make demo` runs the main job, `make test` the tests. Both make .venv first.
PYTHON ?= python3
VENV ?= .venv
PHOTO ?= examples/room.jpg
BIN := $(VENV)/bin
TOGETHER := -n 2 --dist loadfile # two test files at a time

.PHONY: demo test check boards figures clean

demo: $(VENV)/ready
	$(BIN)/python examples/demo.py $(PHOTO)

test: $(VENV)/ready
	$(BIN)/pytest $(TOGETHER)

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	.ci/types $(BIN)/mypy
	$(BIN)/pytest $(TOGETHER)

boards: $(VENV)/ready
	$(BIN)/python benchmarks/boards.py

figures: $(VENV)/ready
	$(BIN)/python -m benchmarks.figures

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build

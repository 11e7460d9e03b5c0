# The verbs of this repository. `make run` needs python3 >= 3.11 and nothing else; `make test`, `make check` and
# `make docs` make a virtual environment of their own the first time. `make -k check` says everything that is wrong,
# not only the first. Overridable: PYTHON, VENV, HOST, PORT, and ARGS, which goes to the program the verb starts:
# `make test ARGS="tests/wire -x"`. JOBS processes share the tests; they wait more than they compute, so four are no
# more than two processors bear. JOBS=0 is this process alone, for a debugger.
PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8080
ARGS ?=
JOBS ?= 4

SHELL := /bin/sh
BIN := $(VENV)/bin
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
MADE := $(VENV)/made-with-$(VERSION)
INSTALLED := $(VENV)/installed

.PHONY: run test check lint types layers bench docs clean python
.DELETE_ON_ERROR:

# exec: a signal to make reaches the server itself, and not a shell in between
run: python
	PYTHONPATH=src exec $(PYTHON) -m penstock run examples.demo:app --host $(HOST) --port $(PORT) $(ARGS)

# Tests start hundreds of servers: none is to compile them anew, where PYTHONDONTWRITEBYTECODE is set.
test: $(INSTALLED)
	$(BIN)/python -m compileall -q src examples
	$(BIN)/python -bb -m pytest -n $(JOBS) --dist loadfile $(ARGS)

check: lint types layers docs

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check || { echo 'make check: mend it with: $(BIN)/ruff format' >&2; exit 1; }

types: $(INSTALLED)
	$(BIN)/mypy

layers: $(INSTALLED)
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/python tools/check_links.py
	$(BIN)/python tools/check_code_blocks.py
	$(BIN)/python tools/check_flags.py
	$(BIN)/python tools/write_settings.py --check
	$(BIN)/towncrier build --draft --version next > /dev/null

bench: python
	PYTHONPATH=src exec $(PYTHON) -m benchmarks $(ARGS)

clean:
	if [ -f $(VENV)/pyvenv.cfg ]; then rm -rf $(VENV); fi
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* src/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo 'make: $(PYTHON) is absent or older than 3.11; name another with PYTHON=...' >&2; exit 1; }

# The interpreter's version is part of the name, so another PYTHON makes the environment anew.
$(MADE): | python
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  [ "$$(id -u)" = 0 ] || sudo='sudo '; \
	  echo "make: this Python cannot make a virtual environment (no ensurepip). Mend it with:" >&2; \
	  echo "    $${sudo}apt install python$(VERSION)-venv" >&2; exit 1; }
	@if [ -e $(VENV) ] && [ -n "$$(ls -A $(VENV))" ] && [ ! -f $(VENV)/pyvenv.cfg ]; then \
	  echo 'make: VENV=$(VENV) is a folder, but no virtual environment; it stays untouched' >&2; exit 1; fi
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(INSTALLED): $(MADE) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

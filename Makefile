# Every target makes what it needs: a virtual environment in .venv with the versions of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check-long check-minima check-sktime test-services test-browser check-native wheel lint bench docs pictures clean help

help:
	@echo "make demo   set up and forecast real sea-surface temperatures"
	@echo "make test   set up and run all tests, in parallel"
	@echo "make check-long   run the tests that take long: many more fuzzed calls, many more kills"
	@echo "make check-minima   help, demo and the jobs' suite on the lowest versions that pyproject.toml asks for"
	@echo "make check-sktime   run sktime's own tests on memorycell.sktime, in an environment of its own"
	@echo "make wheel   build the source distribution and wheels for x86-64 and aarch64 in dist/ (Debian)"
	@echo "make test-services   run the tests that need other programs (Debian)"
	@echo "make test-browser   look at the explain page with Chromium (Debian)"
	@echo "make check-native   run the kernels under sanitizers, valgrind, clang, and as aarch64 (Debian)"
	@echo "make lint   check style and types"
	@echo "make bench  run the benchmarks (MEMORYCELL_DATA names the folder of data sets)"
	@echo "make docs   build the documentation as a site: build/site/index.html"
	@echo "make pictures   run every example in README and docs, redraw their pictures, run the notebooks"

$(STAMP): pyproject.toml constraints.txt CMakeLists.txt $(wildcard csrc/*)
	@echo "memorycell: making a virtual environment in $(VENV) and building the package (about a minute)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -c constraints.txt torch==$$(sed -n 's/^torch==//p' constraints.txt)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[test]"
	@touch $@

demo: $(STAMP)
	$(BIN)/memorycell demo

# Tests start many processes, and each would compile all sources where Python is told to keep nothing compiled.
test check-long: export PYTHONDONTWRITEBYTECODE =

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist worksteal --durations 20 --durations-min 1

check-long: $(STAMP)
	$(BIN)/python -m pytest -m long --durations 20

check-minima:
	tests/minima/run.sh $(PYTHON)

check-sktime:
	tests/sktime/run.sh $(PYTHON)

wheel: $(STAMP)
	packaging/wheels.sh $(PYTHON)

# What needs programs that pip does not bring; today that is a browser.
test-services: test-browser

test-browser: $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt playwright
	tests/browser/run.sh $(BIN)/python

check-native:
	tests/native/run.sh

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py

docs: $(STAMP)
	$(BIN)/python -m pip install -q -c constraints.txt sphinx furo myst-nb latex2mathml mermaidx
	$(BIN)/python docs/site/build.py

pictures: $(STAMP)
	$(BIN)/python -m pytest -m "long or not long" tests/test_docs.py
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/examples/store.py

clean:
	rm -rf $(VENV) build

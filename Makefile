# `make demo` and `make test` are the whole set-up; each makes what it needs.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: build
build: ## compile into build/compiled, for PYTHONPATH
	$(BIN)/python setup.py -q build --build-lib build/compiled

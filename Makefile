# `make demo` and `make test` are the whole set-up: each makes what it needs, on a machine with Python 3.11+, a C
# compiler and git.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Of one version of Python: each environment has its own.
WHEEL  := $(VENV)/wheel
# JupyterLab, in an environment of its own.
JUPYTER_VENV ?= .venv-jupyter
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q
JUPYTER_PIP = $(JUPYTER_VENV)/bin/python -m pip --disable-pip-version-check -q
SOURCES := $(shell find src -name '*.py' -o -name '*.pxd') pyproject.toml setup.py
SERVICES := chromium chromium-driver redis-server
# They wait more than they compute. Those that take long begin first (tests/conftest.py); nobody waits behind them.
PYTEST := $(BIN)/python -m pytest -n 4 --dist worksteal --durations 25

.DEFAULT_GOAL := help
.PHONY: help demo test rewritten test-compiled test-pure test-checked test-sanitized lint style check docs bench bench-quick soak autobahn jupyter build services peers clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -U pip

$(WHEEL)/.built: $(BIN)/python $(SOURCES)
	rm -rf $(WHEEL)
	$(PIP) wheel --no-deps -w $(WHEEL) .
	@touch $@

# What builds Eyewall in place of pip, which does so in an environment of its own.
$(VENV)/.build: $(BIN)/python
	$(PIP) install 'setuptools>=77' 'cython>=3.1'
	@touch $@

# Without compiling, and with folders of its own, since the other one may be built at the same time.
build/pure/.installed: $(VENV)/.build $(SOURCES)
	rm -rf build/pure build/wheel-pure
	mkdir -p build/info-pure
	EYEWALL_PURE=1 $(BIN)/python -W ignore setup.py -q egg_info --egg-base build/info-pure build --build-base build/base-pure \
	  bdist_wheel --bdist-dir build/bdist-pure --dist-dir build/wheel-pure
	$(PIP) install --no-deps --target build/pure build/wheel-pure/*.whl
	@touch $@

$(VENV)/.installed: $(WHEEL)/.built
	$(PIP) install --force-reinstall --no-deps $(WHEEL)/*.whl
	$(PIP) install "$$(ls $(WHEEL)/*.whl)[reload]"
	@touch $@

# What tests and linters need, which can be installed while Eyewall is compiled.
$(VENV)/.needs: build/pure/.installed
	$(PIP) install "$$(ls build/wheel-pure/*.whl)[test,lint]"
	@touch $@

$(VENV)/.test: $(VENV)/.needs $(WHEEL)/.built
	$(PIP) install --force-reinstall --no-deps $(WHEEL)/*.whl
	@touch $(VENV)/.installed $@

$(VENV)/.bench: $(VENV)/.installed
	$(PIP) install "$$(ls $(WHEEL)/*.whl)[bench]"
	@touch $@

demo: $(VENV)/.installed ## serve the demo application
	$(BIN)/eyewall demo $(ARGS)

# Neither compiling nor mypy has two processors to do all the time, and downloads have none.
test: ## set up, lint and run all tests on both builds
	$(MAKE) --no-print-directory -j 3 --output-sync=target services $(WHEEL)/.built style rewritten
	$(MAKE) --no-print-directory -j 1 check test-compiled test-pure

# pytest rewrites the tests' assertions, which takes half the time of loading them. Done before, no process has to that
# runs them; none of these keeps what it has rewritten where the environment says that nothing compiled is kept.
rewritten: $(VENV)/.needs
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --collect-only -q -o pythonpath=build/pure >build/collected || \
	  { cat build/collected; exit 1; }

test-compiled: $(VENV)/.test services
	EYEWALL_EXPECT_BUILD=compiled $(PYTEST) -o pythonpath= $(ARGS)

test-pure: $(VENV)/.test services build/pure/.installed
	EYEWALL_EXPECT_BUILD=pure $(PYTEST) -o pythonpath=build/pure -m "not one_build" $(ARGS)

test-checked: $(VENV)/.test services ## the tests on a build that checks every index
	rm -rf build/checked
	EYEWALL_BOUNDSCHECK=1 $(BIN)/python setup.py -q build --build-lib build/checked --build-temp build/temp-checked
	EYEWALL_EXPECT_BUILD=compiled $(PYTEST) -o pythonpath=build/checked $(ARGS)

test-sanitized: $(VENV)/.test ## the parsers' tests under AddressSanitizer
	rm -rf build/sanitized
	EYEWALL_SANITIZE=1 $(BIN)/python setup.py -q build --build-lib build/sanitized --build-temp build/temp-sanitized
	LD_PRELOAD=$$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONMALLOC=malloc \
	  EYEWALL_EXPECT_BUILD=compiled $(PYTEST) -o pythonpath=build/sanitized -o timeout=600 \
	  tests/base tests/http tests/websocket tests/guard $(ARGS)

services:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null && command -v redis-server >/dev/null || { \
	  echo "installing Chromium and Redis, which tests drive"; \
	  apt-get -qq update && apt-get -qq install -y --no-install-recommends $(SERVICES) >/dev/null; } || \
	  { echo "The tests need the packages $(SERVICES): install them, or run make as root."; exit 1; }

peers:
	@command -v wrk >/dev/null && command -v nginx >/dev/null || { \
	  echo "installing wrk, which makes load, and nginx, a peer"; \
	  apt-get -qq update && apt-get -qq install -y --no-install-recommends wrk nginx-light >/dev/null; } || \
	  { echo "Benchmarks need the packages wrk and nginx-light: install them, or run make as root."; exit 1; }

lint: style check ## ruff, mypy, and eyewall check

style: $(VENV)/.needs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: $(VENV)/.test
	$(BIN)/eyewall check --no-types src examples

docs: $(VENV)/.test ## build the documentation into build/docs, and check it: links, examples, tables of defaults
	PYTHONPATH=src $(BIN)/python -m docs.site build/docs
	BUILT_DOCS=build/docs $(PYTEST) -o pythonpath= tests/docs tests/test_examples.py
	@echo "The documentation is in $(CURDIR)/build/docs/index.html"

bench: $(VENV)/.bench build peers ## measure against the peers (half an hour), and write docs/benchmarks.md
	$(BIN)/python -m bench $(ARGS)

bench-quick: $(VENV)/.bench build peers ## the same in three minutes, without writing
	$(BIN)/python -m bench --quick --no-report $(ARGS)

soak: $(VENV)/.bench build peers ## ten million requests, and what they do to the memory
	$(BIN)/python -m bench.soak $(ARGS)

autobahn: $(VENV)/.test ## every Autobahn case, server and client
	$(BIN)/python -m tests.websocket.autobahn $(ARGS)

$(JUPYTER_VENV)/.installed: $(VENV)/.installed tests/jupyter/requirements.txt
	test -x $(JUPYTER_VENV)/bin/python || $(PYTHON) -m venv $(JUPYTER_VENV)
	$(JUPYTER_PIP) install -r tests/jupyter/requirements.txt $(WHEEL)/*.whl
	$(JUPYTER_PIP) install --force-reinstall --no-deps $(WHEEL)/*.whl
	rm -rf $(JUPYTER_VENV)/sources $(JUPYTER_VENV)/download
	$(JUPYTER_PIP) download --no-deps --no-binary jupyter-server -d $(JUPYTER_VENV)/download \
	  "$$(grep -o '^jupyter_server.*' tests/jupyter/requirements.txt)"
	mkdir $(JUPYTER_VENV)/sources
	tar -xzf $(JUPYTER_VENV)/download/jupyter_server-*.tar.gz -C $(JUPYTER_VENV)/sources --strip-components=1
	@touch $@

jupyter: $(VENV)/.test $(JUPYTER_VENV)/.installed services ## JupyterLab in a browser, and Jupyter Server's tests beside Tornado
	JUPYTER_VENV=$(JUPYTER_VENV) $(BIN)/python -m pytest -o pythonpath= tests/jupyter/lab.py
	JUPYTER_VENV=$(JUPYTER_VENV) $(BIN)/python -m tests.jupyter.serversuite $(ARGS)

build: $(VENV)/.build ## compile into build/compiled, for PYTHONPATH
	$(BIN)/python setup.py -q build --build-lib build/compiled

clean: ## remove everything made here
	rm -rf build $(VENV) $(JUPYTER_VENV) *.egg-info src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

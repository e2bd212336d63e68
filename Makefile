# One entry for people and for CI. Every target prepares the environment that it needs; a second run finds it ready.
#   make demo    a bundle from template to trained model, in a folder of its own
#   make test    environment, static gate, tests: what .ci/run calls

.DEFAULT_GOAL := help
.SUFFIXES:

# Set, it would make every start of Python compile again what it imports.
unexport PYTHONDONTWRITEBYTECODE
# Settings of the caller's shell that would leak into an environment.
unexport PYTHONPATH
unexport PYTHONHOME
unexport VIRTUAL_ENV

# The first Python that is new enough; `make PYTHON=...` names another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$p" && break; done)

DEV := .venv
DEV_READY := $(DEV)/.ready
# The demo takes the developer's environment if there is one, else a smaller one of its own.
DEMO := $(if $(wildcard $(DEV_READY)),$(DEV),.venv-demo)
DEMO_READY := $(DEMO)/.ready
DEMO_FOLDER ?= demo
BENCH_FLAGS ?=
TEST_FLAGS ?= -n 2

.PHONY: help
help:
	@echo "make demo      scaffold, plan, deploy and run the example bundle, in $(DEMO_FOLDER)/"
	@echo "make test      environment, static gate and all tests"
	@echo "make check     static gate only: format, lint, types, layers, architecture, freshness"
	@echo "make fmt       format and fix what can be fixed"
	@echo "make schemas   write schemas/ anew from the models"
	@echo "make docs      write docs/reference/ anew from the program"
	@echo "make bench     measure start-up, plans and engine"
	@echo "make soak      long kill loops and races"
	@echo "make lock      resolve requirements/*.txt anew (needs the network)"
	@echo "make clean     remove environments, caches and the demo"

# Environments ------------------------------------------------------------------------------------------------------

PIP_FLAGS := --quiet --disable-pip-version-check --require-virtualenv --no-input

define make-environment
	@test -n "$(PYTHON)" || { echo "bundlectl needs Python 3.11 or later: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "preparing $(1) with $(PYTHON)"
	@test -x $(1)/bin/python || "$(PYTHON)" -m venv $(1)
	@$(1)/bin/python -m pip install $(PIP_FLAGS) --require-hashes $(foreach file,$(2),-r requirements/$(file).txt)
	@$(1)/bin/python -m pip install $(PIP_FLAGS) --no-deps --no-build-isolation --editable .
	@touch $(1)/.ready
endef

$(DEV)/.ready: requirements/dev.txt requirements/build.txt pyproject.toml
	$(call make-environment,$(DEV),dev build)

.venv-demo/.ready: requirements/sql.txt requirements/build.txt pyproject.toml
	$(call make-environment,.venv-demo,sql build)

# What users see ----------------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(DEMO_READY)
	@sh tests/acceptance/demo.sh "$(CURDIR)/$(DEMO)/bin" "$(DEMO_FOLDER)"

# The gate ----------------------------------------------------------------------------------------------------------

.PHONY: check check-style check-types check-layers check-promises
check: $(DEV_READY)
	@$(MAKE) --no-print-directory -j 2 check-types check-style check-layers check-promises

check-style: $(DEV_READY)
	@$(DEV)/bin/ruff format --check --quiet . || { echo "not formatted: make fmt" >&2; exit 1; }
	@$(DEV)/bin/ruff check --quiet .

check-types: $(DEV_READY)
	@$(DEV)/bin/mypy

check-layers: $(DEV_READY)
	@$(DEV)/bin/lint-imports >.importlinter.log || { cat .importlinter.log; rm -f .importlinter.log; exit 1; }
	@rm -f .importlinter.log

# Architecture, and freshness of schemas, reference pages and lock files.
check-promises: $(DEV_READY)
	@$(DEV)/bin/pytest -q -m "not slow and not soak" tests/architecture

.PHONY: test
test: check
	@$(DEV)/bin/pytest -q $(TEST_FLAGS)

.PHONY: soak
soak: $(DEV_READY)
	@$(DEV)/bin/pytest -q -m soak --hypothesis-profile=random

.PHONY: bench
bench: $(DEV_READY)
	@$(DEV)/bin/python -m compileall -q $(DEV) bundlectl
	@$(DEV)/bin/python -m benchmarks $(BENCH_FLAGS)

# Generated files ---------------------------------------------------------------------------------------------------

.PHONY: fmt
fmt: $(DEV_READY)
	@$(DEV)/bin/ruff format .
	@$(DEV)/bin/ruff check --fix .

.PHONY: schemas
schemas: $(DEV_READY)
	@$(DEV)/bin/python -m bundlectl.schema.export

.PHONY: docs
docs: $(DEV_READY)
	@$(DEV)/bin/python -m tests.docs.reference

LOCK := .venv-lock/bin/pip-compile --quiet --resolver=backtracking --generate-hashes --strip-extras --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --upgrade

.PHONY: lock
lock:
	@test -x .venv-lock/bin/pip-compile || { "$(PYTHON)" -m venv .venv-lock && \
		.venv-lock/bin/python -m pip install $(PIP_FLAGS) "pip-tools>=7.5"; }
	$(LOCK) --only-build-deps --build-deps-for editable -o requirements/build.txt pyproject.toml
	$(LOCK) -c requirements/build.txt -o requirements/runtime.txt pyproject.toml
	$(LOCK) -c requirements/build.txt -c requirements/runtime.txt --extra sql -o requirements/sql.txt pyproject.toml
	$(LOCK) -c requirements/build.txt -c requirements/runtime.txt --extra server -o requirements/server.txt pyproject.toml
	$(LOCK) -c requirements/build.txt -c requirements/sql.txt -c requirements/server.txt \
		--extra sql --extra server --extra build -o requirements/dev.txt pyproject.toml requirements/dev.in

.PHONY: clean
clean:
	@if [ -d "$(DEMO_FOLDER)" ]; then chmod -R u+w "$(DEMO_FOLDER)"; rm -rf "$(DEMO_FOLDER)"; fi
	@rm -rf .venv .venv-demo .venv-lock .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

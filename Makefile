# Everything a developer or a first-time user runs. `make help` lists it.
# Needs Python 3.11 to 3.13, git, make and a C and C++ compiler; the rest is installed below,
# pinned by hash, into .venv (the project) and .uv (what installs it).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

UV := .uv/bin/uv
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SETTINGS := .uv/uv.toml
UV_BUILD := --config-file $(SETTINGS) --build-constraints requirements/build.lock
# uv does not replace what was compiled with other settings: $(1) keeps those that were used.
REBUILD = $$(if [ -f $(1) ] && ! cmp --silent $(1) $(SETTINGS); then \
	echo --reinstall-package llama-cpp-python; fi)

EXAMPLE ?= wrong_formula
MODEL ?= qwen2.5-coder-1.5b
# What the tests load, separated by blanks. Those of a model that calls tools are skipped without
# qwen2.5-coder-0.5b (0.5 GB): make test TEST_MODELS="smollm2-135m qwen2.5-coder-0.5b"
TEST_MODELS ?= smollm2-135m
WORKERS ?= 2

.PHONY: help env install demo test lint bench lock clean settings

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /: /' | sort

env: $(READY)  ## .venv with the project, the local model's engine and the development tools

$(UV): requirements/uv.lock
	@echo "env: uv"
	@rm -rf .uv
	@python=$$(requirements/find-python) && "$$python" -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--only-binary :all: -r requirements/uv.lock
	@touch $(UV)

# Written anew each time, changed only when this machine's settings did.
settings: | $(UV)
	@.uv/bin/python requirements/build_settings.py $(SETTINGS)

$(SETTINGS): settings ;

$(READY): $(UV) $(SETTINGS) pyproject.toml requirements/dev.lock requirements/build.lock
	@echo "env: packages (the first time this compiles llama.cpp, some minutes)"
	@command -v "$${CXX:-c++}" >/dev/null || { \
		echo "There is no C++ compiler: install one (Debian: apt install g++)." >&2; exit 1; }
	@$(BIN)/python -c '' 2>/dev/null || .uv/bin/python -m venv --without-pip --clear $(VENV)
	@$(UV) pip sync --compile-bytecode --python $(BIN)/python --require-hashes $(UV_BUILD) \
		$(call REBUILD,$(VENV)/.settings) requirements/dev.lock
	@cp $(SETTINGS) $(VENV)/.settings
	@$(UV) pip install --python $(BIN)/python --no-deps $(UV_BUILD) --editable .
	@touch $(READY)

install: $(UV) $(SETTINGS)  ## the `agent` command for this user, outside this folder
	@$(UV) tool install --compile-bytecode --python .uv/bin/python \
		--constraints requirements/dev.lock $(UV_BUILD) \
		$(call REBUILD,.uv/installed.toml) --reinstall-package parity-agent '.[local,gpu,serve]'
	@cp $(SETTINGS) .uv/installed.toml

demo: env  ## a local model repairs examples/wrong_formula (EXAMPLE=…, MODEL=…)
	@$(BIN)/agent models pull $(MODEL) --yes
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT \
		&& cp -R examples/$(EXAMPLE)/. "$$folder" \
		&& git -C "$$folder" init --quiet \
		&& git -C "$$folder" add --all \
		&& git -C "$$folder" -c user.name=demo -c user.email=demo@localhost \
			-c commit.gpgsign=false commit --quiet --message "as reported" \
		&& $(BIN)/agent fix "$$folder/ISSUE.md" --repo "$$folder" --model $(MODEL) --yes

lint: env  ## formatting, lint, types, imports
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: lint  ## the checks and all tests
	@for model in $(TEST_MODELS); do $(BIN)/agent models pull $$model --yes || \
		echo "test: without $$model the tests that load it are skipped" >&2; done
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal

bench: env  ## how fast the command starts
	@$(BIN)/python benchmarks/startup.py

lock: $(UV)  ## resolves the lock files anew
	@$(UV) pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --upgrade \
		requirements/uv.in --output-file requirements/uv.lock
	@$(UV) pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --upgrade \
		requirements/build.in --output-file requirements/build.lock
	@$(UV) pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
		--custom-compile-command "make lock" --upgrade --all-extras --group dev \
		--build-constraints requirements/build.lock \
		pyproject.toml --output-file requirements/dev.lock

clean:  ## removes what was made here; downloaded models stay
	rm -rf $(VENV) .uv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find agent tools tui tests benchmarks docs -name __pycache__ -prune -exec rm -rf {} +

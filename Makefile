# Every target builds what it needs from nothing; `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo test lint docs bench soak attack lock clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Build .venv with the pinned versions (done by the others when needed)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed; set PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "python3-venv is needed: apt-get install python3-venv" >&2; exit 1; }
	@echo "installing the pinned versions into $(VENV)"
	@PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	    --editable '.[rclone,web,emulator,dev]'
	@touch $@

demo: $(READY) ## Connect, test, save, back up, verify and restore, on the emulated Microsoft (SRC=/some/folder)
	@$(BIN)/python -m pluton_rclone.cli.demo $(if $(SRC),--source "$(SRC)")

test: $(READY) ## The whole suite, in parallel, in random order
	@.ci/system
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not soak and not attack" $(ARGS)

lint: $(READY) ## ruff, mypy --strict on sources and tests, the import rules of the design
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

docs: $(READY) ## Write the pages in docs/ that come from the code
	@$(BIN)/python docs/generate.py

bench: $(READY) ## Ratios against peers, measured side by side in one run
	@$(BIN)/python -m tests.bench $(ARGS)

soak: $(READY) ## The tests that take minutes
	@$(BIN)/python -m pytest -n $(WORKERS) -m soak $(ARGS)

attack: $(READY) ## The attacks that are too heavy for `test`: loopback only, bounded in time and memory
	@$(BIN)/python -m pytest -n $(WORKERS) -m attack $(ARGS)

lock: ## Renew constraints.txt from the index
	@$(PYTHON) .ci/lock.py

clean: ## Remove what the others made
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Every target builds what it needs from nothing; `make help` lists them.
# PYTHON=python3.12 selects a Python, also one of pyenv's; each but the default has its own venv.
override PYTHON := $(or $(strip $(PYTHON)),python3)
OF_PYTHON := $(if $(filter-out python3,$(PYTHON)),-$(subst $() $(),-,$(subst /,-,$(subst ',,$(patsubst /%,%,$(PYTHON))))))
VENV := .venv$(OF_PYTHON)
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := .venv-tools
FLOORS := .venv-floors$(OF_PYTHON)
THIRD := .venv-third-parties
# More workers than cores: while one waits for an rclone, a browser or a clock, another one runs.
# The quick tests hardly wait, and collecting all tests costs each worker 5 s of CPU: fewer workers there.
WORKERS ?= $(if $(filter test-quick once floors,$(MAKECMDGOALS)),4,8)
# A venv has absolute paths: in a checkout that was moved or copied since, it is rebuilt.
moved = $(shell [ ! -s $1/.ready ] || [ "$$(cat $1/.ready)" = "$$(cd -P $1 && pwd)" ] || echo anew)
# The tests that import and run everything once; the whole suite is `make test`.
ONCE := tests/packaging tests/test_demo.py tests/test_readme.py tests/web/test_web_wording.py

# With it, each of the thousands of commands that the tests start would recompile the package.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: anew help install demo demo-web test-quick test coverage test-pythons once floors third-parties lint docs bench soak attack lock dist-check clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## Build .venv with the pinned versions (done by the others when needed)

$(READY): pyproject.toml constraints.txt $(call moved,$(VENV))
	@.ci/venv $(VENV) "$(PYTHON)" constraints.txt .

$(TOOLS)/.ready: .ci/tools.txt $(call moved,$(TOOLS))
	@.ci/venv $(TOOLS) "$(PYTHON)" .ci/tools.txt

demo: $(READY) ## Connect, test, save, back up, verify and restore, on the emulated Microsoft (SRC=/some/folder)
	@$(BIN)/python bin/demo.py $(if $(SRC),--source "$(SRC)")

demo-web: $(READY) ## The page in your browser, on the emulated Microsoft: sign in, click, switch failures on
	@$(BIN)/python -m pluton_rclone demo --web || test $$? -eq 130 # Ctrl-C

test-quick: $(READY) ## For the inner loop: what is pure, and once through each seam (tests/quick.txt)
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not soak and not attack" $$(grep -v '^#' tests/quick.txt) $(ARGS)

test: $(READY) ## The whole suite, in parallel, in random order
	@.ci/system
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not soak and not attack" $(ARGS)

coverage: $(READY) ## The whole suite under coverage.py: branches by room; `.venv/bin/coverage html` shows each line
	@rm -f .coverage .coverage.*
	@COVERED=1 $(BIN)/python -m pytest -q -n $(WORKERS) -m "not soak and not attack" $(ARGS); \
	    ended=$$?; $(BIN)/python .ci/covered.py && exit $$ended

lint: $(READY) ## ruff, mypy --strict on sources and tests (sources for macOS and Windows, too), the import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@for system in darwin win32; do \
	    $(BIN)/mypy --platform $$system --cache-dir .mypy_cache/$$system pluton_rclone || exit 1; done
	@$(BIN)/lint-imports --no-cache

docs: $(READY) ## Write the pages in docs/ that come from the code
	@$(BIN)/python docs/generate.py

bench: $(READY) ## Ratios against peers, measured side by side in one run
	@$(BIN)/python -m tests.bench $(ARGS)

soak: $(READY) ## The tests that take minutes
	@$(BIN)/python -m pytest -n $(WORKERS) -m soak $(ARGS)

test-pythons: ## Import and run everything once, on the lowest and the highest Python at hand
	@.ci/pythons

once: $(READY) # for test-pythons, with PYTHON set
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m "not soak and not attack" $(ONCE) $(ARGS)

# pytest and the like have their pinned versions; starlette's old test client warns about a newer anyio.
floors: $(FLOORS)/.ready ## Run a part of the suite on the lowest versions that pyproject.toml declares
	@$(FLOORS)/bin/python -m pytest -q -n $(WORKERS) -m "not soak and not attack" -W "ignore:The anyio.abc:DeprecationWarning" \
	    $(ONCE) tests/rclone_python tests/values $(ARGS)

$(FLOORS)/.ready: pyproject.toml constraints.txt .ci/floors.txt $(call moved,$(FLOORS))
	@.ci/venv $(FLOORS) "$(PYTHON)" constraints.txt .ci/floors.txt .

third-parties: $(THIRD)/.ready ## Microsoft's own SDK and another client of OneDrive walk the emulator
	@$(THIRD)/bin/python -m pytest -q -n 0 -W ignore tests/third_parties $(ARGS)

$(THIRD)/.ready: pyproject.toml constraints.txt .ci/third-parties.txt $(call moved,$(THIRD))
	@.ci/venv $(THIRD) "$(PYTHON)" constraints.txt .ci/third-parties.txt .

attack: $(READY) ## The attacks that are too heavy for `test`: loopback only, bounded in time and memory
	@$(BIN)/python -m pytest -n 0 -s -m attack $(ARGS)

dist-check: $(TOOLS)/.ready ## Build wheel and sdist, check both, install the sdist and run it
	@.ci/dist-check $(TOOLS)/bin

lock: $(TOOLS)/.ready ## Renew the pinned versions (constraints.txt, .ci/*.txt) from the index
	@$(TOOLS)/bin/python .ci/lock.py

clean: ## Remove what the others made
	@rm -rf .venv* build dist *.egg-info .coverage* .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	    .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

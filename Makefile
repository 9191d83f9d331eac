# Every target sets up what it needs; PYTHON names the interpreter to build the environment with.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: serve test soak bench lint fmt compile interpret fresh clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.run: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

serve: $(VENV)/.run fresh ## run the server on embedded defaults (ARGS="--help" for options)
	@exec $(BIN)/tempmail serve $(ARGS)

test: $(VENV)/.dev fresh ## run the tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(ARGS)

soak: $(VENV)/.dev fresh ## the long fault, load and fuzz runs
	$(BIN)/python -m pytest -m soak $(ARGS)

bench: $(VENV)/.dev $(if $(shell command -v cc),compile,fresh) ## print the benchmark table, write bench.json
	$(BIN)/python -m tests.bench $(ARGS)

lint: $(VENV)/.dev ## format check, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/hadolint Dockerfile

fmt: $(VENV)/.dev ## format and sort imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

compile: $(VENV)/.dev interpret ## compile the reading of mail in place: half the CPU (a C compiler, a minute)
	HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .

interpret: ## undo compile
	@find . -name '*.so' -not -path './$(VENV)/*' -not -path './build/*' -delete

# What was compiled from older sources would be run instead of them.
fresh:
	@so=$$(find tempmail -name '*.so' | head -n 1); \
	if [ -n "$$so" ] && [ -n "$$(find tempmail -name '*.py' -newer "$$so" | head -n 1)" ]; then \
		echo 'Sources have changed since make compile: they are interpreted again.'; $(MAKE) --no-print-directory interpret; \
	fi

clean: ## remove the environment and caches (never data)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Everything a stranger needs: `make compare` and `make test` set up what they use by themselves.
# The environment is .venv; its stamps make a second run instant and a changed pyproject.toml install again.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help compare test test-slow torture conformance mutation bench firmware linux linux-profile timing-validation answer footprint readme docs dist lint clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

compare: $(VENV)/.installed  ## compare the heap strategies (ARGS="--json", or a scenario file)
	@$(BIN)/cfemu compare $(ARGS)

test: $(VENV)/.installed-dev  ## run the fast tests (ARGS="tests/unit -k tlb")
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

test-slow: $(VENV)/.installed-dev  ## run the slow tests, which CI runs too
	$(BIN)/python -m pytest -m slow -n auto --dist worksteal $(ARGS)

torture: $(VENV)/.installed-dev  ## GCC's execute tests under a hostile MMU (ARGS="--opt O1"; Debian's gcc-12-source, qemu-user)
	$(BIN)/python -m tests.conformance.torture $(ARGS)

conformance: $(VENV)/.installed-dev  ## the full evidence, written to docs/conformance.md (ARGS="torture": one section)
	$(BIN)/python -m tests.conformance $(ARGS)

mutation: $(VENV)/.installed-dev  ## does a test notice every small change of emu/mmu? docs/mutation.md (ARGS="tlb.match": a part)
	$(BIN)/python -m tests.mutation $(ARGS)

bench: $(VENV)/.installed-dev  ## miss counts against benchmarks/misses.toml, and every speed; docs/benchmarks.md (ARGS="--only counts")
	$(BIN)/python -m benchmarks $(ARGS)

firmware:  ## rebuild the prebuilt ELFs (needs Debian's gcc-m68k-linux-gnu)
	$(MAKE) -C firmware

linux:  ## build an unmodified Linux from Debian's linux-source-6.1: build/linux/vmlinux
	@$(PYTHON) firmware/linux/build.py

linux-profile: linux $(VENV)/.installed  ## run a Linux session and write docs/linux.md, what its TLB misses cost
	$(BIN)/python -m benchmarks.linux_profile

timing-validation: $(VENV)/.installed-dev  ## run everything that the time model can be held against and write docs/timing.md
	$(BIN)/python -m benchmarks.timing_validation

answer: $(VENV)/.installed  ## answer the post of 2007 from six small sweeps and write docs/answer.md
	$(BIN)/python -m benchmarks.answer

footprint: $(VENV)/.installed  ## measure what kernel operations touch and write docs/footprint.md
	$(BIN)/python -m benchmarks.footprint

readme: $(VENV)/.installed  ## regenerate the figures in README.md and docs
	$(BIN)/python -m benchmarks.documents

docs: $(VENV)/.installed-dev  ## build the documentation site into build/site; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict $(ARGS)

dist: $(VENV)/.installed-dev  ## build wheel and sdist into dist/, install them elsewhere and use them (ARGS="-k 3.11")
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	CFEMU_DIST=dist $(BIN)/python -m pytest -m slow tests/release $(ARGS)

lint: $(VENV)/.installed-dev  ## ruff and mypy --strict
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:  ## remove the environment and the caches of this directory
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian ships venv without ensurepip unless python3-venv is installed; then the system's pip, or virtualenv, serves.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "cfemu needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setting up $(VENV), which takes a minute the first time ..." >&2
	@$(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 \
	    || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $@ install -q pip; } >/dev/null 2>&1 \
	    || $(PYTHON) -m virtualenv -q --clear $(VENV) >/dev/null 2>&1 \
	    || { rm -rf $(VENV); echo "no way to make a virtual environment: install the package python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@$(PIP) install -qq -e .
	@$(BIN)/python -c 'from emu.cpu.compiled import prepare; prepare()'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@$(PIP) install -qq -e '.[dev]'
	@touch $@ $(VENV)/.installed

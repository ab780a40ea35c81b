# `make demo` runs the main job on this machine, `make test` passes the tests; each installs what it needs.
PYTHON := .venv/bin/python
INSTALLED := .venv/installed

# A shell that sets it has this project compiled anew: 0.1 s of each command, and 3 s of each that collects the tests.
unexport PYTHONDONTWRITEBYTECODE

# Clusters that this commit brought up must live on under this code.
OLD ?= 3a3df05

.PHONY: demo test test-unit test-tp16 completion faults walk upgrade-check bench-check bench-up check format schemas constraints install clean

demo: $(INSTALLED)
	@scripts/demo

test: check
	$(PYTHON) -m pytest -m "not tp16 and not fault and not shells" -n 2 --dist loadfile --no-loadscope-reorder --durations=10

test-unit: $(INSTALLED)
	$(PYTHON) -m pytest -m "not scenario and not tp16 and not shells" -n 2 --dist loadfile

test-tp16: $(INSTALLED)
	$(PYTHON) -m pytest -m tp16 -s

completion: $(INSTALLED)
	@scripts/shells fish zsh
	$(PYTHON) -m pytest tests/orchestrator/cli/test_completion.py

faults: $(INSTALLED)
	@scripts/shells fish tcsh
	$(PYTHON) -m pytest tests/scenarios/faults -m fault --page docs/faults.md $(ARGUMENTS)

walk: $(INSTALLED)
	$(PYTHON) -m pytest tests/scenarios/test_walk.py -s --rounds 200 --page docs/faults.md $(ARGUMENTS)

upgrade-check: $(INSTALLED)
	@scripts/upgrade-check $(OLD)

bench-check: $(INSTALLED)
	$(PYTHON) benchmarks/bench_check.py

bench-up: $(INSTALLED)
	$(PYTHON) benchmarks/bench_up.py

check: $(INSTALLED)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/hadolint Dockerfile

format: $(INSTALLED)
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

install: $(INSTALLED)

$(INSTALLED): pyproject.toml $(wildcard constraints/*.txt) $(shell find sandbox/cpu_vllm -name '*.py' -o -name '*.toml')
	@scripts/install
	@touch $@

schemas: $(INSTALLED)
	$(PYTHON) -m orchestrator.schemas docs/schemas

constraints: $(INSTALLED)
	scripts/constraints

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info sandbox/cpu_vllm/build sandbox/cpu_vllm/*.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

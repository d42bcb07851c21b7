# SpecLRM. `make help` lists the targets; every experiment target prints the speclrm line it runs.

SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= python3
SPECLRM := $(VENV)/bin/speclrm
STAMP := $(VENV)/.speclrm-installed
TEST_STAMP := $(VENV)/.speclrm-dev-installed
PACKAGING := setup.cfg pyproject.toml packaging/install.sh packaging/constraints.txt packaging/constraints-cpu.txt

# Settings of the experiment targets: make baseline DATASET=aime PROBLEMS=60-89 REPEATS=3 MODEL=Qwen/QwQ-32B
DATASET ?= pocket
PROBLEMS ?= all
REPEATS ?= 1
SEED ?= 0
# Without models the bundled pair answers pocket problems; other datasets are refused.
MODEL ?=
DRAFT_MODEL ?=
ENGINE ?= auto
OPTIONS ?=
RUNS ?= $(patsubst %/run.json,%,$(wildcard results/*/run.json))
HTML ?= results/leaderboard.html
TABLE ?= examples/demo.toml
CONFIG ?= examples/measure_quick.json
# Each needs a core and about 4 GiB.
TEST_PROCESSES ?= 2

EXPERIMENT = --dataset $(DATASET) --problem-id $(PROBLEMS) --repeats $(REPEATS) --seed $(SEED) \
	$(if $(MODEL),--model $(MODEL)) --engine $(ENGINE) $(OPTIONS)
WITH_DRAFT = $(EXPERIMENT) $(if $(DRAFT_MODEL),--draft-model $(DRAFT_MODEL))
MATRIX = results/matrix-$(DATASET)
MATRIX_RUNS = $(addprefix $(MATRIX)-,baseline parallel spec spec-async spec-methods)

# The name of a run follows from its settings in examples/demo.toml.
DEMO_SPEC = results/pocket-hard-spec-pocket-target-a1a762ba

.DEFAULT_GOAL := help
.PHONY: help install demo baseline parallel spec spec-async spec-methods matrix eval leaderboard \
	compare table measure doctor test test-browser screenshot bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | column -t -s '|'
	@echo
	@echo "Variables: DATASET PROBLEMS REPEATS SEED MODEL DRAFT_MODEL ENGINE OPTIONS RUNS HTML TABLE CONFIG VENV"
	@echo "Example:   make baseline DATASET=aime PROBLEMS=60-89 REPEATS=3 MODEL=Qwen/QwQ-32B"

install: $(STAMP) ## install into $(VENV)

$(STAMP): $(PACKAGING)
	PYTHON=$(PYTHON) bash packaging/install.sh $(VENV)
	@touch $@

# All that `install` installs is in it: from a clean checkout one of the two is enough.
$(TEST_STAMP): $(PACKAGING)
	PYTHON=$(PYTHON) bash packaging/install.sh $(VENV) dev
	@touch $(STAMP) $@

demo: install ## all five reasoners with the bundled pair, offline: in one table and one page
	$(SPECLRM) table examples/demo.toml --html results/demo.html
	@echo "Charts, and every attempt as a trace: open results/demo.html"
	@echo "One attempt here: $(SPECLRM) show $(DEMO_SPEC) --problem-id 37"

baseline: install ## the target reasons alone
	$(SPECLRM) run baseline $(EXPERIMENT)

parallel: install ## three tracks of the target vote
	$(SPECLRM) run parallel --tracks 3 $(EXPERIMENT)

spec: install ## the draft writes steps, the target scores and rewrites them
	$(SPECLRM) run spec $(WITH_DRAFT)

spec-async: install ## spec that drafts ahead of the scores
	$(SPECLRM) run spec-async $(WITH_DRAFT)

spec-methods: install ## the target chooses three methods, a spec track for each
	$(SPECLRM) run spec-methods --method-num 3 $(WITH_DRAFT)

matrix: install ## all five experiments on one slice, graded, in one table
	$(SPECLRM) run baseline $(EXPERIMENT) --output-dir $(MATRIX)-baseline
	$(SPECLRM) run parallel --tracks 3 $(EXPERIMENT) --output-dir $(MATRIX)-parallel
	$(SPECLRM) run spec $(WITH_DRAFT) --output-dir $(MATRIX)-spec
	$(SPECLRM) run spec-async $(WITH_DRAFT) --output-dir $(MATRIX)-spec-async
	$(SPECLRM) run spec-methods --method-num 3 $(WITH_DRAFT) --output-dir $(MATRIX)-spec-methods
	$(SPECLRM) grade $(MATRIX_RUNS)
	$(SPECLRM) leaderboard $(MATRIX_RUNS)

eval: install ## grade RUNS (default: all of results/)
	$(SPECLRM) grade $(RUNS)

leaderboard: install ## compare graded RUNS, in the terminal and as the page HTML
	$(SPECLRM) leaderboard $(RUNS) --html $(HTML)

compare: install ## compare graded RUNS with the first of them, in pairs
	$(SPECLRM) compare $(RUNS)

table: install ## run what is missing of a file of experiments, and print it: make table TABLE=examples/ssr.toml
	$(SPECLRM) table $(TABLE)

measure: install ## ways of generating side by side: make measure CONFIG=examples/measure_comprehensive.json
	$(SPECLRM) measure $(CONFIG) --resume

doctor: install ## check what is installed and what would work
	$(SPECLRM) doctor

# Hundreds of processes start in the tests: what the first compiles is kept for the others.
test: $(TEST_STAMP) ## lint, types and all tests (real vLLM included where it is installed)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(VENV)/bin/pytest -rs --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

test-browser: $(TEST_STAMP) ## the page of the leaderboard in a headless Chromium (skipped where there is none)
	$(VENV)/bin/pytest -rs tests/test_page*.py

screenshot: $(TEST_STAMP) ## the README's picture, from the page of make demo (needs Chromium)
	$(VENV)/bin/python docs/screenshot.py results/demo.html docs/images/leaderboard.png

bench: $(TEST_STAMP) ## every benchmark in its quick form
	for program in benchmarks/*.py; do $(VENV)/bin/python $$program --quick || exit 1; done

clean: ## remove the environment and build files (results stay)
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# make run   installs, simulates a cohort, does the main job on it, says where the report is
# make test  installs what tests need, runs lint, types, architecture and all tests but the long ones
# make docs  installs what the documents' site needs and builds it into site/; a warning or broken link is an error
# make test-all  the same with the long ones: 20,000 spoilt files and what else takes minutes
# make evidence  does every run that documents quote and that is not stored yet: hours; ONLY=ratios one study, DATA=folder
# make evidence-check  do documents say what is stored of the studies? a minute
# make coverage  which lines and branches the tests go through, by room; takes two thirds longer than the tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= runs/simulated
COHORT ?= runs/simulated-cohort
# in which tests run; each takes a core and half a gigabyte
PROCESSES ?= 2
# of the tests: shuffled, with the commit's name as seed, so that a commit's tests come in one order wherever they run;
# ORDER= leaves them as they are written
ORDER ?= --random-order-seed=$(shell git rev-parse --short=8 HEAD 2>/dev/null || echo 0)
# seconds that a test of CI may take; the long ones may take more
LIMIT ?= 180
SITE ?= site

# one thread a process; without these, libraries start one for each core in every process
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: run test tests test-all coverage docs evidence evidence-check lint style types clean

run: $(VENV)/.train
	@test -e $(COHORT)/dataset_description.json || \
		$(BIN)/secateur simulate $(COHORT) --subjects 16 --hours 0.1 --seed 0
	$(BIN)/secateur run --data $(COHORT) --out $(OUT) --config configs/first-look.toml

# types are checked beside the tests: either takes minutes, and one of them leaves a core idle
test: style
	$(MAKE) --no-print-directory -j 2 types tests

tests: $(VENV)/.dev
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal $(ORDER) --timeout $(LIMIT) --durations 20

test-all: lint
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal $(ORDER) --durations 20 -m ""

coverage: $(VENV)/.dev
	$(BIN)/pytest -n $(PROCESSES) --dist worksteal --cov --cov-report=json:.coverage.json
	$(BIN)/python -m benchmarks.room_coverage .coverage.json

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(abspath $(SITE))

evidence: $(VENV)/.dev
	$(BIN)/python -m benchmarks.evidence --workers $(PROCESSES) $(if $(DATA),--data $(DATA)) $(if $(ONLY),--only $(ONLY))

evidence-check: $(VENV)/.dev
	$(BIN)/python -m benchmarks.evidence --check

lint: style types

style: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[train]'
	@touch $@

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[all,dev]'
	@touch $@ $(VENV)/.train $(VENV)/.docs

clean:
	rm -rf $(VENV) .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

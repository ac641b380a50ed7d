# `make demo` and `make test` set up what they need; nothing but Python 3.11+ and pip is asked for.
PYTHON ?= python3
BIN := .venv/bin
OUT ?= demo-out
MODEL ?= smollm2-135m
SEED ?= 0

.PHONY: demo test check fmt prove mutate references bench-ppo bench-cost docs clean

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --editable '.[dev,parquet]'
	touch $@

demo: .venv/installed            ## the whole loop on one machine: SFT, people's rankings, reward model, PPO, report
	$(BIN)/plaudit demo --model $(MODEL) --seed $(SEED) --out $(OUT)

test: .venv/installed-dev        ## the tests, under 15 minutes on two cores
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile -m "not prove"

check: .venv/installed-dev       ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fmt: .venv/installed-dev         ## formats and mends what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

prove: .venv/installed-dev       ## proofs that take longer than the tests may
	$(BIN)/pytest -m prove

mutate: .venv/installed-dev      ## each listed sabotage of the code must turn a test red
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutate.py

references: .venv/installed-dev  ## the tables of other libraries' numbers that the tests read
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.references.make_trl

bench-ppo: .venv/installed-dev   ## PPO against TRL 1.12.0, side by side; installs it in an environment of its own
	benchmarks/ppo_vs_trl/run.sh

bench-cost: .venv/installed-dev  ## steps of PPO against their forecasts
	$(BIN)/python -m benchmarks.cost.measure

docs: .venv/installed-dev        ## the generated parts of docs/
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/tree.py
	$(BIN)/python docs/results.py
	$(BIN)/python docs/quality_tables.py

clean:
	rm -rf .venv build dist

# Two commands do everything: `make run` and `make test`. Both set up whatever is missing.
.DEFAULT_GOAL := help
.PHONY: help run demo test check setup bench interop torture experiments experiments-quick lock
PYTHON := .venv/bin/python
# Many small models and arrays: one thread each is faster than threads that fight for the cores.
export OMP_NUM_THREADS ?= 1

help:               ## what there is
	@grep -E '^[a-z-]+: .*##|^[a-z-]+:  +##' Makefile | sed -E 's/:[^#]*##/\t/' | expand -t 20

run: setup          ## set up all that is missing and open the desk; ends with its last console
	@$(PYTHON) -m studio.cli

demo: setup         ## the whole loop, unattended: demonstrate, train, drive together, correct, again
	@$(PYTHON) -m studio.cli loop
	@$(PYTHON) tests/bench/swap.py out/loop/round-2 out/loop/round-1 --seconds 24

test: check         ## set up all that is missing, check the code, run all tests
	@$(PYTHON) -m pytest -q --durations=8 --numprocesses 2 --dist loadfile -m "not alone"
	@$(PYTHON) -m pytest -q --durations=8 -m alone

check: setup        ## ruff and pyright
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m pyright --level error

setup:              ## install what is missing (see .ci/setup); quick when nothing is
	@bash .ci/setup

bench: setup        ## every benchmark, both sides in one run; minutes
	@$(PYTHON) tests/bench/run_all.py

# TO=docs/results/interop keeps the rows there; RESUME=1 goes on; RUN=FOLDER: of a trained policy.
interop: setup      ## every path of data in and out, the other program run for real; minutes
	@$(PYTHON) tests/bench/interop $(if $(TO),--to $(TO)) $(if $(RESUME),--resume) $(if $(RUN),--run $(RUN))

torture: setup      ## kill processes at random moments, at least 200 times; minutes
	@$(PYTHON) tests/torture/store_kill.py
	@$(PYTHON) tests/torture/process_kill.py
	@$(PYTHON) tests/torture/console_trouble.py

# JOBS=2: two of one thread side by side; more words for the harness in ONLY, as ONLY="rates".
JOBS ?= 1
experiments: setup  ## every table about the policy: runs what is missing, prints all; hours
	@$(PYTHON) tests/experiments/run.py --jobs $(JOBS) $(if $(ONLY),--only $(ONLY))

experiments-quick: setup        ## one row of each table as a sample; a quarter of an hour
	@$(PYTHON) tests/experiments/run.py --quick --jobs 2

lock:               ## pin the newest allowed packages in requirements.lock
	@.venv/bin/uv pip compile --quiet --upgrade --universal \
	    --python-version 3.12 --group dev --extra gym --extra pretrained --custom-compile-command "make lock" \
	    pyproject.toml .ci/build.in --output-file requirements.lock

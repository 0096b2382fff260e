# Two commands do everything: `make run` and `make test`.
.PHONY: run test demo check bench torture setup
PY := .venv/bin/python

run: setup
	@.venv/bin/tandem demo

test: check
	@$(PY) -m pytest -q

setup: .venv/.ready
.venv/.ready: requirements.lock pyproject.toml .ci/setup
	@bash .ci/setup

check: setup
	@.venv/bin/ruff check -q . && .venv/bin/pyright --warnings=false 2>/dev/null || .venv/bin/pyright

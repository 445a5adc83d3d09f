# Two commands do everything: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV := .venv/bin/uv
export UV_LINK_MODE ?= copy

.DEFAULT_GOAL := help
.PHONY: help demo run up test test-fast lint lock clean

help:  ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

# The stamp is newer than lock and project file: installing happens once, a second `make demo` starts at once.
.venv/installed: requirements/bootstrap.txt requirements/lock.txt pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info[:2] != (3, 11))" || { echo "needs Python 3.11 (set PYTHON=/path/to/python3.11)"; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || \
	  { echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; rm -rf .venv; exit 1; }
	.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements/bootstrap.txt
	$(UV) pip install -q --python .venv/bin/python --no-deps --require-hashes -r requirements/lock.txt
	$(UV) pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/installed  ## install what is missing, make the demo company, run the whole loop, say where to look
	.venv/bin/huiyin demo $(ARGS)

up: .venv/installed  ## Airflow on loopback, DAGs scheduled, latest report served
	.venv/bin/huiyin up $(ARGS)

# Two processes, a file of tests to each at a time: files share their servers and runs.
test: .venv/installed  ## the whole test suite
	.venv/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

test-fast: .venv/installed  ## without the tests that take more than ten seconds
	.venv/bin/python -m pytest -n 2 --dist loadfile -m "not slow" $(ARGS)

lint: .venv/installed  ## ruff, mypy, sqlfluff
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/sqlfluff lint dbt_project

# Resolves pyproject.toml anew within its bounds. overrides.txt drops torch and sentence-transformers; the lock names
# no index, so that every mirror serves it.
lock: .venv/installed  ## renew requirements/lock.txt
	$(UV) pip compile pyproject.toml --extra dev --overrides requirements/overrides.txt \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 --upgrade \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate -q -o requirements/lock.txt

clean:  ## remove what runs have made (not the environment)
	rm -rf var

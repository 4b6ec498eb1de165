# discord-poller: `make help` lists the targets.

PYTHON3 ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test test-oldest lint format requirements clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | expand -t 18

run: $(VENV)/run ## poll a session before your eyes (a replayed one where no token is set)
	$(PYTHON) manage.py migrate --verbosity 0
	$(PYTHON) manage.py demo

test: $(VENV)/dev ## run all tests, on SQLite and on a private PostgreSQL
	packaging/needs-package postgresql 'ls /usr/lib/postgresql/*/bin/initdb'
	$(PYTHON) -m pytest -n 2
	$(PYTHON) -m tests.postgresql $(PYTHON) -m pytest -n 2

test-oldest: $(VENV)/oldest ## run the tests on the oldest Django and the oldest libraries of the web side
	$(VENV)/oldest/bin/python -m pytest -n 2 -m 'not simulation'

lint: $(VENV)/browser ## check style and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

format: $(VENV)/browser ## format the code
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

requirements: ## renew the pinned requirements from pyproject.toml
	packaging/pin-requirements

clean: ## remove what the other targets made, but for var/
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The environment of `make run` holds what polling needs; that of the other targets, all the tools.
$(VENV)/run: requirements/run.txt
	packaging/make-venv $(PYTHON3) $(VENV) $<
	@touch $@

$(VENV)/dev: requirements/dev.txt
	packaging/make-venv $(PYTHON3) $(VENV) $<
	@touch $@

$(VENV)/oldest: requirements/dev.txt requirements/oldest.txt
	packaging/make-venv $(PYTHON3) $@ requirements/dev.txt
	packaging/make-venv $(PYTHON3) $@ requirements/oldest.txt

-include packaging/*.mk

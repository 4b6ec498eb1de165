# discord-poller: `make help` lists the targets.

PYTHON3 ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
# A test that hangs fails by its name after these seconds, and the others run on.
HANGS_AFTER_S := 300
PYTEST = -m pytest --override-ini faulthandler_timeout=$(HANGS_AFTER_S) \
	--override-ini faulthandler_exit_on_timeout=true
# Of each test's time half is waiting, so that two processors take four at once.
AT_ONCE := 4

.DEFAULT_GOAL := help
.PHONY: help run test test-oldest lint format requirements clean

# A line of `##@` names the group of the targets after it; a target's own `##` tells what it is for.
help:
	@awk -F ':.*## ' 'FNR == 1 { group = "Other" } /^##@ / { group = substr($$0, 5) } \
		/^##@ / && !(group in targets) { order[++groups] = group; targets[group] = "" } \
		/^[a-z-]+:.*## / { targets[group] = targets[group] sprintf("  %-14s %s\n", $$1, $$2) } \
		END { for (i = 1; i <= groups; i++) printf "%s\n%s", order[i], targets[order[i]] }' \
		$(MAKEFILE_LIST)

##@ See it
run: $(VENV)/run ## poll a session before your eyes (a replayed one where no token is set)
	$(PYTHON) manage.py migrate --verbosity 0
	$(PYTHON) manage.py demo

##@ Work on it
test: $(VENV)/dev ## run all tests, on SQLite and on a private PostgreSQL
	packaging/needs-package postgresql 'ls /usr/lib/postgresql/*/bin/initdb'
	packaging/needs-package pgbouncer 'command -v pgbouncer'
	$(PYTHON) $(PYTEST) -n $(AT_ONCE)
	$(PYTHON) -m tests.postgresql $(PYTHON) $(PYTEST) -n $(AT_ONCE)

##@ Test it on other ground
test-oldest: $(VENV)/oldest ## run the tests on the oldest Django and the oldest libraries of the web side
	$(VENV)/oldest/bin/python $(PYTEST) -n $(AT_ONCE) -m 'not simulation'

##@ Work on it
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

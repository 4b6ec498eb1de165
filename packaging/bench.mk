##@ Measure it
.PHONY: bench
bench: $(VENV)/dev ## measure what is promised about speed; 10 minutes and more (writes docs/performance.*)
	packaging/needs-package postgresql 'ls /usr/lib/postgresql/*/bin/initdb'
	$(PYTHON) -m bench

.PHONY: bench-quick
bench-quick: $(VENV)/dev ## see that the bench runs; small, and nothing is written
	$(PYTHON) -m bench --quick

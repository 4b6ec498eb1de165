##@ Test it on other ground
.PHONY: test-attack
test-attack: $(VENV)/dev ## attack the web side on loopback: stalled clients, idle connections, hostile texts
	packaging/needs-package valgrind 'command -v valgrind'
	$(PYTHON) $(PYTEST) --override-ini addopts=--strict-markers tests/attack

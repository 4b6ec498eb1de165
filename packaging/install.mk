# Installation on a server without the Debian package, and the tests on booted machines.
# DESTDIR stands in the rules only, so that what is installed never names it.

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
pkglibdir ?= $(libdir)/discord-poller
datarootdir ?= $(prefix)/share
monitoringdir ?= $(datarootdir)/discord-poller/monitoring
docdir ?= $(datarootdir)/doc/discord-poller
mandir ?= $(datarootdir)/man
completionsdir ?= $(datarootdir)/bash-completion/completions
# systemd reads its settings for services in /etc whatever the prefix.
sysconfdir ?= /etc
# systemd searches these below /usr/local and /usr, and nowhere else.
unitdir ?= $(prefix)/lib/systemd/system
catalogdir ?= $(prefix)/lib/systemd/catalog
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d

INSTALL ?= install
INSTALL_PROGRAM ?= $(INSTALL)
INSTALL_DATA ?= $(INSTALL) -m 644
# Not one of a home folder: the service's user must be able to run it.
SYSTEM_PYTHON ?= /usr/bin/python3
# What the units and the command run.
service_python ?= $(pkglibdir)/venv/bin/python3

UNITS = poller.target poller.timer poller.service poller-migrate.service poller-prune.timer \
	poller-prune.service poller-fill.service
credentials_dropin = $(unitdir)/run-credentials-poller.service.mount.d
# What an operator may have enabled.
ENABLED = poller.target poller.timer poller-web.socket
fill_in = sed -e 's|@PYTHON@|$(service_python)|g' -e 's|@pkglibdir@|$(pkglibdir)|g'

.PHONY: install install-application install-files uninstall may-uninstall test-system test-system-host

##@ Install it
install: install-application install-files ## install below prefix=/usr/local, with a private Python environment
	@$(if $(DESTDIR),:,printf '%s\n' $(next_steps))

next_steps = 'Installed. Now run, as root:' \
	'  systemd-sysusers' \
	'  systemd-tmpfiles --create $(tmpfilesdir)/discord-poller.conf' \
	'  journalctl --update-catalog' \
	'  systemctl daemon-reload' \
	'  systemctl try-restart poller-migrate.service poller-web.service' \
	'and once the token is in /etc/discord-poller/discord-token:' \
	'  systemctl enable --now poller.timer'

# A package leaves this out: its program comes from its own rules and its Python from the distribution.
install-application:
	packaging/install-application '$(SYSTEM_PYTHON)' '$(DESTDIR)' '$(pkglibdir)'

install-files:
	$(INSTALL) -d $(foreach dir,$(bindir) $(unitdir) $(sysusersdir) $(tmpfilesdir) $(docdir) \
		$(mandir)/man8 $(completionsdir) $(monitoringdir) $(sysconfdir)/discord-poller,'$(DESTDIR)$(dir)')
	$(INSTALL_DATA) systemd/poller.target systemd/poller.timer systemd/poller-prune.timer \
		'$(DESTDIR)$(unitdir)'
	for unit in poller.service poller-migrate.service poller-prune.service poller-fill.service; do \
		$(fill_in) systemd/$$unit.in > '$(DESTDIR)$(unitdir)'/$$unit || exit; \
		chmod 644 '$(DESTDIR)$(unitdir)'/$$unit || exit; \
	done
	$(INSTALL) -d '$(DESTDIR)$(credentials_dropin)'
	$(INSTALL_DATA) systemd/quiet-credentials.conf '$(DESTDIR)$(credentials_dropin)'
	$(INSTALL_DATA) systemd/discord-poller.sysusers '$(DESTDIR)$(sysusersdir)/discord-poller.conf'
	$(INSTALL_DATA) systemd/discord-poller.tmpfiles '$(DESTDIR)$(tmpfilesdir)/discord-poller.conf'
	if test -e systemd/discord-poller.catalog; then \
		$(INSTALL) -d '$(DESTDIR)$(catalogdir)' && \
		$(INSTALL_DATA) systemd/discord-poller.catalog '$(DESTDIR)$(catalogdir)'; \
	fi
	$(fill_in) packaging/discord-poller.in > '$(DESTDIR)$(bindir)/discord-poller'
	chmod 755 '$(DESTDIR)$(bindir)/discord-poller'
	$(INSTALL_DATA) packaging/discord-poller.8 '$(DESTDIR)$(mandir)/man8'
	$(INSTALL_DATA) packaging/discord-poller.bash '$(DESTDIR)$(completionsdir)/discord-poller'
	$(INSTALL_DATA) monitoring/* '$(DESTDIR)$(monitoringdir)'
	$(INSTALL_DATA) systemd/poller.conf '$(DESTDIR)$(docdir)'
	test -e '$(DESTDIR)$(sysconfdir)/discord-poller/poller.conf' || \
		$(INSTALL) -m 640 systemd/poller.conf '$(DESTDIR)$(sysconfdir)/discord-poller'

# Before anything is removed, also what other files of this folder add to `uninstall`.
uninstall uninstall-web-files: may-uninstall
may-uninstall:
	@for unit in $(if $(DESTDIR),,$(ENABLED)); do \
		if systemctl --quiet is-enabled $$unit 2>/dev/null; then \
			echo "$$unit is enabled. First run: systemctl disable --now $(ENABLED)" >&2; \
			exit 1; \
		fi; \
	done

uninstall: ## remove what install put there; settings, token and database stay
	rm -f $(foreach unit,$(UNITS),'$(DESTDIR)$(unitdir)/$(unit)') \
		'$(DESTDIR)$(sysusersdir)/discord-poller.conf' '$(DESTDIR)$(tmpfilesdir)/discord-poller.conf' \
		'$(DESTDIR)$(catalogdir)/discord-poller.catalog' '$(DESTDIR)$(bindir)/discord-poller' \
		'$(DESTDIR)$(mandir)/man8/discord-poller.8' '$(DESTDIR)$(completionsdir)/discord-poller'
	rm -rf '$(DESTDIR)$(credentials_dropin)' '$(DESTDIR)$(docdir)' '$(DESTDIR)$(datarootdir)/discord-poller' '$(DESTDIR)$(pkglibdir)' '$(DESTDIR)$(pkglibdir).new' '$(DESTDIR)$(pkglibdir).old'

##@ Test it on other ground
test-system: HANGS_AFTER_S := 2400
test-system: test-system-host $(VENV)/dev ## boot Debian 12 and 13 and drive an installation there (as root; 10 minutes)
	$(PYTHON) $(PYTEST) --override-ini addopts=--strict-markers -n 8 tests/system

# First of all, so that nobody waits for the rest before reading that it takes root.
test-system-host:
	@tests/system/prerequisites

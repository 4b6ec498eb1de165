# The web side: served from a checkout, installed beside the poller, driven by a real browser.

WEB_PORT ?= 8365

.PHONY: web test-browser install-web-files uninstall-web-files

##@ See it
web: $(VENV)/web ## serve the web pages of this checkout on http://localhost:8365 (WEB_PORT)
	$(PYTHON) manage.py migrate --verbosity 0
	@test -e var/operator || { echo 'First make an account for yourself:' && \
		$(PYTHON) manage.py createsuperuser && touch var/operator; }
	@echo 'Serving http://localhost:$(WEB_PORT) - Ctrl+C ends it.'
	$(PYTHON) -I messages_app/web/serve.py --bind 127.0.0.1:$(WEB_PORT)

##@ Test it on other ground
test-browser: $(VENV)/browser ## drive the web pages with a headless Chromium, and through nginx and Caddy
	packaging/needs-package chromium 'command -v chromium'
	packaging/needs-package nginx-light 'command -v nginx || ls /usr/sbin/nginx'
	packaging/needs-package caddy 'command -v caddy'
	$(PYTHON) $(PYTEST) --override-ini addopts=--strict-markers tests/browser

$(VENV)/web: requirements/web.txt
	packaging/make-venv $(PYTHON3) $(VENV) $<
	@touch $@

$(VENV)/browser: requirements/browser.txt
	packaging/make-venv $(PYTHON3) $(VENV) $<
	@touch $@ $(VENV)/dev

# These join the installation of packaging/install.mk.
install-files: install-web-files
uninstall: uninstall-web-files

install-web-files:
	$(INSTALL) -d '$(DESTDIR)$(unitdir)' '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(docdir)'
	$(INSTALL_DATA) systemd/poller-web.socket '$(DESTDIR)$(unitdir)'
	$(fill_in) systemd/poller-web.service.in > '$(DESTDIR)$(unitdir)/poller-web.service'
	chmod 644 '$(DESTDIR)$(unitdir)/poller-web.service'
	$(INSTALL_DATA) systemd/discord-poller-web.sysusers '$(DESTDIR)$(sysusersdir)/discord-poller-web.conf'
	$(INSTALL_DATA) docs/web.md docs/api.md docs/security.md packaging/nginx.conf packaging/Caddyfile '$(DESTDIR)$(docdir)'

uninstall-web-files:
	rm -f '$(DESTDIR)$(unitdir)/poller-web.socket' '$(DESTDIR)$(unitdir)/poller-web.service' \
		'$(DESTDIR)$(sysusersdir)/discord-poller-web.conf'

# The Debian package.

DEB_FOLDER ?= build/deb

.PHONY: deb lint-deb

deb: ## build the Debian package and its source package into build/deb
	@packaging/needs-package dpkg-dev 'command -v dpkg-buildpackage'
	@packaging/needs-package debhelper 'command -v dh'
	@packaging/needs-package dh-python 'command -v dh_python3'
	@packaging/build-deb $(DEB_FOLDER)

lint-deb: deb ## check the Debian package against Debian's rules
	@packaging/needs-package lintian 'command -v lintian'
	lintian --allow-root --display-info --pedantic --fail-on error,warning,info,pedantic,override \
		$(DEB_FOLDER)/*.changes

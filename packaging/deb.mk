# The Debian package.

DEB_FOLDER ?= build/deb

.PHONY: deb lint-deb

##@ Package it
deb: ## build the Debian package and its source package into build/deb
	@packaging/needs-package build-essential 'dpkg --status build-essential'
	@packaging/needs-package debhelper 'command -v dh'
	@packaging/needs-package dh-python 'command -v dh_python3'
	@packaging/needs-package pkgconf 'command -v pkg-config'
	@packaging/needs-package systemd-dev 'pkg-config --exists systemd'
	packaging/build-deb $(DEB_FOLDER)

lint-deb: deb ## check the Debian package against Debian's rules
	@packaging/needs-package lintian 'command -v lintian'
	packaging/lint-deb $(DEB_FOLDER)/*.changes

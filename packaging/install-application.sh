#!/bin/sh
# Installs the program and its private Python environment: PYTHON DESTDIR PKGLIBDIR.
# Everything is made beside the place where it will be, and moved there when it is whole.
set -eu
umask 022

python=$1
destdir=$2
final=$3
stage=$destdir$final.new
old=$destdir$final.old
environment=$stage/venv

say() {
    echo "discord-poller: $*" >&2
}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    say "$python is missing or older than Python 3.11: name another with PYTHON=/path/to/python3."
    exit 1
fi
# A half-made folder of an earlier, interrupted installation is of no use to anybody.
rm -rf "$stage" "$old"
mkdir -p "$stage"
tar --create --exclude=__pycache__ --mode=u=rwX,go=rX manage.py config messages_app |
    tar --extract --preserve-permissions --no-same-owner --directory="$stage"

"$python" -m venv "$environment"
pip() {
    "$environment/bin/python3" -m pip --quiet --disable-pip-version-check "$@"
}
pinned() {
    pip install --no-compile --require-hashes "$@"
}
pinned --only-binary=:all: -r requirements/server.txt

# The journal's library: Debian's own build of it where there is one, for that gets Debian's
# updates; else from its source; else the log goes to the journal as plain lines.
packages=$("$environment/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
if theirs=$("$python" -I -c 'import os, systemd.journal as j; print(os.path.dirname(j.__file__))' \
    2>/dev/null); then
    ln -s "$theirs" "$packages/systemd"
    say "journal records through the distribution's python3-systemd."
elif pkg-config --exists libsystemd 2>/dev/null &&
    pinned -r requirements/build.txt &&
    pinned --no-build-isolation --no-deps -r requirements/journal.txt; then
    pip uninstall --yes -r requirements/build.txt
    say "journal records through systemd-python, built here."
else
    say "no systemd-python: polls are logged as plain lines, without fields." \
        "Install python3-systemd and repeat this to have them."
fi

# What is pinned stays as it is: no pip, and no scripts that name the folder it was made in.
pip uninstall --yes pip setuptools 2>/dev/null
find "$environment/bin" ! -type d ! -name 'python*' -delete
sed -i '/^command = /d' "$environment/pyvenv.cfg"
# The service cannot write there, and a start without compiled files costs four times as much.
"$environment/bin/python3" -m compileall -q -j 0 -s "$stage" -p "$final" "$stage"

if [ -e "$destdir$final" ]; then
    mv "$destdir$final" "$old"
fi
mv "$stage" "$destdir$final"
rm -rf "$old"

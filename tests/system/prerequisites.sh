#!/bin/sh
# Says in a sentence what `make test-system` lacks on this host, and what to do; 0 if nothing.
set -eu
if [ "$(id -u)" -ne 0 ]; then
    echo "make test-system boots machines and needs root: run it as root, or as" \
        "sudo make test-system." >&2
    exit 1
fi
for program in mmdebstrap systemd-nspawn nsenter setpriv apt-get; do
    if ! command -v "$program" >/dev/null; then
        echo "make test-system needs $program: apt-get install mmdebstrap systemd-container" \
            "util-linux debian-archive-keyring" >&2
        exit 1
    fi
done
if ! grep -qw cgroup2 /proc/mounts; then
    echo "make test-system needs a cgroup2 mount, which this kernel or container lacks:" \
        "run it on a host with systemd or a current kernel." >&2
    exit 1
fi

"""The sandbox of the services: tight by systemd's own measure, and the exporter lives in it."""

import pytest

from tests.system.server import PROGRAM, PYTHON, STATE, Server

MAXIMAL_EXPOSURE = 1.5
# Runs long enough in one function for the JIT to compile it, then exports.
JIT_EXPORTER = f"""#!/usr/bin/node
const mix = (sum, n) => (sum * 31 + n) | 0;
let sum = 0;
for (let n = 0; n < 30_000_000; n++) sum = mix(sum, n);
const replay = ["-I", "-S", "{PROGRAM}/manage.py", "replay", ...process.argv.slice(2)];
const done = require("node:child_process").spawnSync("{PYTHON}", replay, {{ stdio: "inherit" }});
process.exit(done.status ?? 1);
"""


@pytest.fixture
def with_jit(server: Server) -> Server:
    """A server whose exporter is a program with a just-in-time compiler, as .NET is one."""
    server.machine.write("/opt/jit-exporter", JIT_EXPORTER, 0o755)
    server.settings({"POLLER_EXPORTER": "/opt/jit-exporter"})
    return server


def test_systemd_has_no_complaint_about_the_units(server: Server) -> None:
    units = server.machine.sh("cd /usr/local/lib/systemd/system; echo poller*").split()
    assert len(units) >= 4
    done = server.machine.run("systemd-analyze", "verify", *units)
    assert done.stdout + done.stderr == ""


def test_the_exposure_of_every_service_is_small(server: Server) -> None:
    for unit in server.machine.sh("cd /usr/local/lib/systemd/system; echo *.service").split():
        threshold = f"--threshold={int(MAXIMAL_EXPOSURE * 10)}"
        # Its status tells whether the exposure is above the threshold.
        server.machine.run("systemd-analyze", "security", "--no-pager", threshold, unit)


def test_an_exporter_with_a_jit_works_in_the_sandbox(with_jit: Server) -> None:
    with_jit.machine.run("systemctl", "start", "poller.service")
    assert with_jit.polls()


def test_memory_deny_write_execute_is_left_out_for_a_reason(with_jit: Server) -> None:
    with_jit.drop_in("poller.service", "[Service]\nMemoryDenyWriteExecute=yes\n")
    with_jit.machine.run("systemctl", "start", "poller.service", check=False)
    assert not with_jit.polls()
    assert with_jit.failures() == ["exit-code"]
    with_jit.machine.run("discord-poller", "poll_recent_messages", "--now")


def test_the_exporter_sees_and_writes_nothing_that_is_not_its_own(server: Server) -> None:
    server.machine.write("/root/private", "x")
    server.machine.write("/home/private", "x", 0o644)
    probe = (
        "for f in /root/private /home/private /etc/shadow /etc/discord-poller/discord-token; do"
        f' if cat "$f"; then echo "read $f"; fi; done >> {STATE}/probe 2>/dev/null;'
        f"for d in /etc /usr/local/lib/discord-poller /var/lib /opt /srv; do"
        f' if touch "$d/x"; then echo "wrote $d"; fi; done >> {STATE}/probe 2>/dev/null;'
        f"echo done >> {STATE}/probe"
    )
    server.machine.write("/opt/probe", f"#!/bin/sh\n{probe}\nexit 1\n", 0o755)
    server.settings({"POLLER_EXPORTER": "/opt/probe"})
    server.machine.run("systemctl", "start", "poller.service", check=False)
    assert server.machine.sh(f"cat {STATE}/probe; rm {STATE}/probe") == "done\n"
    server.settings()
    server.machine.run("discord-poller", "poll_recent_messages", "--now")

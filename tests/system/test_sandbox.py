"""The sandbox of the services: tight by systemd's own measure, and the exporter lives in it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from messages_app.doctor import runtime_calls
from tests.system.disks import DOTNET
from tests.system.machine import wait_until
from tests.system.server import PROGRAM, REPLAY, STATE, Server

MAXIMAL_EXPOSURE = 1.5
# In the exporter's place, a real .NET program: it exports nothing, so what follows on it does.
EXPORTER = "/opt/dotnet-exporter"
DOTNET_EXPORTER = f"""#!/bin/sh
{DOTNET} --version >&2 || exit
exec {REPLAY} "$@"
"""
CALLS = f"/usr/bin/python3 -I {PROGRAM}/{runtime_calls.__name__.replace('.', '/')}.py"
# Writes down whom it is asked to connect to, and refuses.
PROXY = r"""
import socket
with socket.create_server(("127.0.0.1", 3128)) as server, open("/opt/asked", "wb") as asked:
    connection, _ = server.accept()
    asked.write(connection.recv(65536))
    connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
"""
MEMORY = Path("/sys/fs/cgroup/memory")
# Wants more and more memory.
GREEDY = """#!/usr/bin/python3
hoard = []
while True:
    hoard.append(bytearray(10_000_000))
"""
# A command of the .NET program that wants an answer of a server on the internet.
ASKING = f"""#!/bin/sh
export AZURE_TENANT_ID=11111111-1111-1111-1111-111111111111 AZURE_CLIENT_ID=a AZURE_CLIENT_SECRET=b
export AZURE_MCP_COLLECT_TELEMETRY=false
exec {DOTNET} subscription list
"""


@pytest.fixture
def forgiven(server: Server) -> Iterator[Server]:
    """A server whose failures in this test keep no later one waiting."""
    yield server
    server.reset()
    server.command("poll_recent_messages", "--now")


@pytest.fixture
def short_of_memory(forgiven: Server) -> Iterator[Server]:
    """A server that may have 300 MB more; MemoryMax= alone has no effect where cgroups are v1."""
    forgiven.drop_in("poller.service", "[Service]\nMemoryMax=300M\n")
    if not MEMORY.is_dir():
        yield forgiven
        return
    group = MEMORY / f"discord-poller-{forgiven.machine.name}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(f"{300 * 1024**2}")
    try:
        moved(forgiven, group)
        yield forgiven
    finally:
        moved(forgiven, MEMORY)
        group.rmdir()


def moved(server: Server, group: Path) -> None:
    """Put all processes of the server's machine into a cgroup."""
    for process in server.machine.processes():
        with suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(f"{process}")


@pytest.fixture
def with_dotnet(forgiven: Server) -> Server:
    """A server whose exporter is, at its start, a real .NET program."""
    forgiven.machine.write(EXPORTER, DOTNET_EXPORTER, 0o755)
    forgiven.settings({"POLLER_EXPORTER": EXPORTER})
    return forgiven


def doctor(server: Server) -> str:
    """What `discord-poller doctor` says, in one line."""
    done = server.machine.run("discord-poller", "doctor", check=False)
    return " ".join((done.stdout + done.stderr).split())


def refused_calls(server: Server, wall: str) -> list[str]:
    """Which calls of a runtime's start the service refuses with this line in a drop-in."""
    server.drop_in("poller.service", f"[Service]\nExecStart=\nExecStart={CALLS}\n{wall}\n")
    server.machine.run("systemctl", "start", "poller.service", check=False)
    invocation = server.machine.show("poller.service", "InvocationID")
    records = server.machine.journal(f"_SYSTEMD_INVOCATION_ID={invocation}", "_TRANSPORT=stdout")
    return [record["MESSAGE"] for record in records]


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


def test_a_net_program_runs_under_the_timer(with_dotnet: Server) -> None:
    with_dotnet.enable()
    with_dotnet.wait_for_poll()
    assert with_dotnet.failures() == []


@pytest.mark.parametrize(
    ("wall", "call"),
    [
        ("", None),
        ("SystemCallFilter=~sched_setaffinity", "sched_setaffinity"),
        ("SystemCallFilter=~membarrier", "membarrier"),
        ("SystemCallFilter=~memfd_create", "memfd_create with a writable and an executable"),
        ("MemoryDenyWriteExecute=yes", "mprotect to executable"),
        ("ProcSubset=pid", "reading /proc/meminfo"),
        ("InaccessiblePaths=/sys/fs/cgroup", "reading the limits in /sys/fs/cgroup"),
        ("RestrictAddressFamilies=~AF_NETLINK", "getifaddrs"),
        ("RestrictAddressFamilies=~AF_INET6", "socket of AF_INET and AF_INET6"),
    ],
)
def test_the_service_allows_each_call_of_a_runtimes_start(
    server: Server, wall: str, call: str | None
) -> None:
    refused = refused_calls(server, wall)
    assert refused == [] if call is None else refused[0].startswith(call)


@pytest.mark.parametrize(
    "wall", ["SystemCallFilter=~sched_setaffinity", "MemoryDenyWriteExecute=yes"]
)
def test_a_net_program_does_not_start_behind_these_walls(with_dotnet: Server, wall: str) -> None:
    with_dotnet.drop_in("poller.service", f"[Service]\n{wall}\n")
    with_dotnet.machine.run("systemctl", "start", "poller.service", check=False)
    assert not with_dotnet.polls()
    assert with_dotnet.failures() == ["exit-code"]


def test_doctor_tries_the_exporter_where_the_service_runs_it(with_dotnet: Server) -> None:
    found = doctor(with_dotnet)
    assert f"{EXPORTER}, version 2.47 (" in found
    assert "), in the sandbox of poller.service, too" in found
    assert "can be exported" in found
    assert with_dotnet.machine.sh("ls /run | grep trial || true") == ""
    assert "trial" not in with_dotnet.machine.sh("systemctl list-units --all; ls /run/systemd/*")


@pytest.mark.parametrize(
    ("wall", "cause"),
    [
        ("SystemCallFilter=~sched_setaffinity", "the sandbox refuses sched_setaffinity."),
        ("MemoryDenyWriteExecute=yes", "the sandbox refuses mprotect to executable."),
        ("InaccessiblePaths=/opt", "cannot be found or executed"),
        ("LoadCredential=missing:/nowhere", "that does not start (status 1)"),
    ],
)
def test_doctor_names_what_a_drop_in_keeps_from_the_exporter(
    with_dotnet: Server, wall: str, cause: str
) -> None:
    with_dotnet.drop_in("poller.service", f"[Service]\n{wall}\n")
    found = doctor(with_dotnet)
    assert cause in found
    assert "1 of these want your attention" in found or "2 of these" in found, found


def test_an_exporter_that_is_installed_is_tried_there(with_dotnet: Server) -> None:
    archive = "/opt/exporter.zip"
    make = (
        "import zipfile\n"
        f"with zipfile.ZipFile({archive!r}, 'w') as archive:\n"
        f"    archive.write({EXPORTER!r}, 'DiscordChatExporter.Cli')\n"
    )
    machine = with_dotnet.machine
    machine.run("python3", "-c", make)
    digest = machine.sh(f"sha256sum {archive}").split()[0]
    with_dotnet.settings({"POLLER_EXPORTER": "DiscordChatExporter.Cli"})
    install = ("install-exporter", "--from", archive, "--sha256", digest)

    installed = with_dotnet.command(*install)
    with_dotnet.drop_in("poller.service", "[Service]\nSystemCallFilter=~sched_setaffinity\n")
    refused = with_dotnet.command(*install, status=1)

    assert "in the sandbox of poller.service, too" in " ".join(installed.split())
    assert "Installed the exporter" in refused
    assert "the sandbox refuses sched_setaffinity." in " ".join(refused.split())


def test_the_exporter_goes_through_the_proxy_of_the_settings(forgiven: Server) -> None:
    server = forgiven
    server.machine.write("/opt/asking", ASKING, 0o755)
    server.settings({"POLLER_EXPORTER": "/opt/asking", "HTTPS_PROXY": "http://127.0.0.1:3128"})
    server.machine.write("/opt/proxy.py", PROXY)
    server.machine.run("systemd-run", "--quiet", "--collect", "python3", "/opt/proxy.py")
    server.machine.run("systemctl", "start", "--no-block", "poller.service")
    asked = server.machine.root / "opt/asked"
    wait_until(lambda: asked.exists() and asked.read_bytes(), "the proxy is asked")
    assert asked.read_text().startswith("CONNECT login.")


def test_the_exporter_sees_and_writes_nothing_that_is_not_its_own(forgiven: Server) -> None:
    server = forgiven
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


def test_an_exporter_that_wants_too_much_memory_is_killed_alone(short_of_memory: Server) -> None:
    server = short_of_memory
    server.machine.write("/opt/greedy", GREEDY, 0o755)
    server.settings({"POLLER_EXPORTER": "/opt/greedy"})
    server.machine.run("systemctl", "start", "poller.service", check=False)
    failed = [r for r in server.journal("_SYSTEMD_UNIT=poller.service") if "ERROR_KIND" in r]
    assert [record["ERROR_KIND"] for record in failed] == ["exporter-failed"]
    assert "killed by signal 9" in failed[0]["MESSAGE"]
    assert server.machine.show("poller.service", "Result") == "exit-code", "the poll itself lives"
    assert server.machine.show("poller.service", "ExecMainStatus") == "69"
    assert server.machine.show("poller.service", "TasksMax") == "500"

"""`make install` and `make uninstall` on a server, in place and into a folder."""

from tests.system.disks import SOURCES, WHEELS, copy_sources, install
from tests.system.machine import Machine
from tests.system.server import CHANNEL, SETTINGS, STATE, Server

MAKE = f"cd {SOURCES}; PIP_NO_INDEX=1 PIP_FIND_LINKS={WHEELS} make --silent"
ENABLED = "poller.target poller.timer poller-web.socket"


def test_an_upgrade_in_place_keeps_settings_and_data(fresh: Machine) -> None:
    server = Server(fresh)
    server.reset()
    server.add_session("--channel", CHANNEL)
    server.enable()
    server.wait_for_poll()
    settings = fresh.sh(f"cat {SETTINGS}")

    copy_sources(fresh)
    install(fresh)

    assert fresh.sh(f"cat {SETTINGS}") == settings
    assert "Race day" in server.command("session", "list")
    server.assert_polls_on()


def test_what_is_installed_belongs_to_root_and_is_compiled(fresh: Machine) -> None:
    assert fresh.sh("find /usr/local ! -user root -o ! -type l -perm /go=w") == ""
    program = "/usr/local/lib/discord-poller"
    sources = fresh.sh(f"find {program} -name '*.py' ! -path '*/venv/lib/*/test*' | wc -l")
    compiled = fresh.sh(f"find {program} -name '*.pyc' ! -path '*/venv/lib/*/test*' | wc -l")
    assert int(compiled) >= int(sources) * 0.99
    # Nothing names the folder in which it was put together.
    assert not fresh.run("grep", "-rl", f"{program}.new", program, check=False).stdout
    assert fresh.sh(f"stat --format %a {STATE} {SETTINGS}").split() == ["770", "640"]


def test_installing_into_a_folder_and_uninstalling_leaves_only_settings(fresh: Machine) -> None:
    printed = fresh.sh(f"{MAKE} install DESTDIR=/tmp/t 2>/dev/null", timeout_s=240)
    assert "systemctl" not in printed
    assert fresh.run("/tmp/t/usr/local/lib/discord-poller/venv/bin/python3", "-c", "import django")
    fresh.sh(f"{MAKE} uninstall DESTDIR=/tmp/t")
    assert fresh.sh("find /tmp/t ! -type d") == "/tmp/t/etc/discord-poller/poller.conf\n"


def test_uninstalling_wants_it_off_and_keeps_settings_and_data(fresh: Machine) -> None:
    server = Server(fresh)
    server.reset()
    server.enable()
    server.wait_for_starts(1)
    refused = fresh.run("sh", "-c", f"{MAKE} uninstall", check=False)
    assert refused.returncode
    assert (
        f"poller.timer is enabled. First run: systemctl disable --now {ENABLED}" in refused.stderr
    )

    fresh.sh(f"systemctl disable --now {ENABLED}; systemctl stop poller.service")
    before = fresh.sh(f"ls {STATE} {SETTINGS}")
    fresh.sh(f"{MAKE} uninstall; systemctl daemon-reload")
    assert fresh.sh(f"ls {STATE} {SETTINGS}") == before
    assert fresh.sh("find /usr/local -path '*poller*'") == ""

    install(fresh)
    server.enable()
    server.mark()
    server.wait_for_starts(1)

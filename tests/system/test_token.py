"""The Discord token: from a plain file, encrypted, or not there; and where it must never be."""

from hashlib import sha256

import pytest

from tests.system.machine import wait_until
from tests.system.server import REPLAY, STATE, TOKEN, TOKEN_FILE, Server

ENCRYPTED = "/etc/credstore.encrypted/discord-token"
SPY = "/opt/spy-exporter"
CONFIGURATION = 78


@pytest.fixture
def spied(server: Server) -> Server:
    """A server whose exporter notes the hash of the token that it is given."""
    note = f'printf %s "$DISCORD_TOKEN" | sha256sum > {STATE}/token.sha256'
    server.machine.write(SPY, f'#!/bin/sh\n{note}\nexec {REPLAY} "$@"\n', 0o755)
    server.settings({"POLLER_EXPORTER": SPY})
    return server


def assert_given(server: Server, token: str) -> None:
    noted = server.machine.sh(f"cat {STATE}/token.sha256; rm {STATE}/token.sha256").split()[0]
    assert noted == sha256(token.encode()).hexdigest()


def test_the_token_comes_from_the_plain_file(spied: Server) -> None:
    spied.machine.run("systemctl", "start", "poller.service")
    assert_given(spied, TOKEN)
    spied.command("poll_recent_messages")
    assert_given(spied, TOKEN)


def test_the_token_comes_from_an_encrypted_credential(spied: Server) -> None:
    spied.machine.run("rm", TOKEN_FILE)
    spied.machine.run("mkdir", "-p", "/etc/credstore.encrypted")
    try:
        spied.machine.run("systemd-creds", "encrypt", "-", ENCRYPTED, stdin="encrypted.token")
        spied.machine.run("systemctl", "start", "poller.service")
        assert_given(spied, "encrypted.token")
        spied.command("poll_recent_messages")
        assert_given(spied, "encrypted.token")
    finally:
        spied.machine.run("rm", "-f", ENCRYPTED)


def test_the_exporter_reads_neither_the_settings_nor_the_process_that_runs_it(
    server: Server,
) -> None:
    looks = (
        "for file in /etc/discord-poller/poller.conf /proc/$PPID/environ /proc/$PPID/maps; do"
        f" cat $file >/dev/null 2>&1 && echo $file; done >{STATE}/seen; echo done >>{STATE}/seen"
    )
    server.machine.write(SPY, f'#!/bin/sh\n{looks}\nexec {REPLAY} "$@"\n', 0o755)
    server.settings({"POLLER_EXPORTER": SPY, "POLLER_METRICS_TOKEN": "not.for.exporters"})
    server.machine.run("systemctl", "start", "poller.service")
    assert server.machine.sh(f"cat {STATE}/seen") == "done\n"
    assert server.polls()


def test_without_a_token_nothing_fails_until_a_session_is_live(server: Server) -> None:
    server.machine.run("rm", TOKEN_FILE)
    server.settings({"DATABASE_URL": f"sqlite:///{STATE}/no-session.sqlite3"})
    server.machine.run("systemctl", "restart", "poller-migrate.service")
    server.machine.run("systemctl", "start", "poller.service")

    server.add_session("--channel", "200")
    server.machine.run("systemctl", "start", "poller.service", check=False)
    assert server.exit_statuses() == [CONFIGURATION]
    told = [str(record["MESSAGE"]) for record in server.journal("_SYSTEMD_UNIT=poller.service")]
    assert any("No Discord token is configured" in message for message in told), told

    server.machine.write(TOKEN_FILE, TOKEN, 0o600)
    server.machine.run("systemctl", "start", "poller.service")
    assert server.polls()


def test_the_token_is_in_no_argument_and_no_log(server: Server) -> None:
    server.fault("hang")
    server.machine.run("systemctl", "start", "--no-block", "poller.service")
    wait_until(lambda: " replay " in server.processes(), "an export is under way")
    everywhere = server.machine.sh("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'")
    server.machine.run("systemctl", "stop", "poller.service")
    assert "replay" in everywhere
    assert TOKEN not in everywhere

    server.fault("bad-token")
    server.machine.run("systemctl", "start", "poller.service", check=False)
    server.machine.run("discord-poller", "poll_recent_messages", "--now", check=False)
    server.settings()
    server.machine.run("discord-poller", "poll_recent_messages", "--now")
    journal = server.machine.sh("journalctl --sync; journalctl --output=export")
    assert "discord-poller" in journal
    assert TOKEN not in journal


def test_only_root_and_the_service_can_read_the_token(server: Server) -> None:
    reader = ["runuser", "-u", "discord-poller", "--"]
    assert server.machine.run(*reader, "cat", TOKEN_FILE, check=False).returncode
    server.machine.run(*reader, "true")

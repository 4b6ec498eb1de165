"""The status line that systemd shows."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from messages_app.environment import CHECKOUT
from messages_app.notify import notify_status
from tests.commands import Manage


def listening(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.settimeout(5)
    listener.bind(address)
    return listener


def test_the_sentence_arrives_on_one_line(tmp_path: Path) -> None:
    with listening(f"{tmp_path}/notify") as listener:
        notify_status({"NOTIFY_SOCKET": f"{tmp_path}/notify"}, "All is\nwell — 3 messages.")
        assert listener.recv(1000).decode() == "STATUS=All is well — 3 messages."


def test_an_abstract_socket_is_understood() -> None:
    with listening("\0discord-poller-test") as listener:
        notify_status({"NOTIFY_SOCKET": "@discord-poller-test"}, "Fine.")
        assert listener.recv(1000) == b"STATUS=Fine."


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "@nobody-listens", "vsock:2:1"])
def test_nobody_who_listens_is_no_failure(address: str) -> None:
    notify_status({"NOTIFY_SOCKET": address}, "Fine.")


def test_a_listener_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    with listening(f"{tmp_path}/notify"):
        for _ in range(1000):
            notify_status({"NOTIFY_SOCKET": f"{tmp_path}/notify"}, "Fine.")


def test_the_import_is_cheap_enough_for_an_idle_tick() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from messages_app import notify, heartbeat; "
        "notify.notify_status({'NOTIFY_SOCKET': '@nobody-listens'}, ''); "
        "print(sorted({'socket', 'selectors', 'enum', 're', 'django'} & set(sys.modules)))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, CHECKOUT]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_idle_run_and_a_failed_one_tell_systemd(manage: Manage, tmp_path: Path) -> None:
    address = f"{tmp_path}/notify"
    with listening(address) as listener:
        manage("poll_recent_messages", NOTIFY_SOCKET=address)
        manage("poll_recent_messages", NOTIFY_SOCKET=address)
        for _ in range(2):
            expected = b"STATUS=No session is live, and none is scheduled."
            assert listener.recv(1000) == expected
        nowhere = f"sqlite:///{tmp_path}/none.sqlite3"
        manage("poll_recent_messages", NOTIFY_SOCKET=address, DATABASE_URL=nowhere, status=78)
        assert listener.recv(1000).startswith(b"STATUS=The database is not migrated")

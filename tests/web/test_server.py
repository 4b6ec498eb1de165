"""The web side served as systemd does: by a socket, until nobody asks any more."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What systemd does: the listening socket becomes file 3, and two variables tell of it.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-I", "-m", "gunicorn", *sys.argv[2:]])
"""


@contextmanager
def served(state: Path, idle_exit_s: float) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The site's address and gunicorn's process, started on a socket that is open already."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        arguments = ["--chdir", str(ROOT), "--pythonpath", str(ROOT), "--config"]
        arguments += [str(ROOT / "messages_app/web/server.py"), "config.wsgi:application"]
        process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, str(listening.fileno()), *arguments],
            env={
                "PATH": os.environ["PATH"],
                "POLLER_STATE_DIR": str(state),
                "POLLER_ALLOWED_HOSTS": "127.0.0.1",
                "WEB_IDLE_EXIT_S": str(idle_exit_s),
            },
            pass_fds=[listening.fileno()],
            cwd=state,
        )
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    environ = {"PATH": os.environ["PATH"], "POLLER_STATE_DIR": str(tmp_path)}
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, env=environ, cwd=ROOT, check=True)
    return tmp_path


def test_a_request_that_comes_first_is_answered_and_idleness_ends_the_server(state: Path) -> None:
    with served(state, idle_exit_s=3) as (url, process):
        with urllib.request.urlopen(f"{url}/login/", timeout=60) as response:
            assert response.status == 200
            assert b"Log in" in response.read()
        assert process.wait(timeout=30) == 0


def test_the_server_stays_while_somebody_asks(state: Path) -> None:
    with served(state, idle_exit_s=3) as (url, process):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            with urllib.request.urlopen(f"{url}/static/web/mark.svg", timeout=60) as response:
                assert response.status == 200
            time.sleep(0.2)
        assert process.poll() is None

"""The commands, as processes of their own or, where that adds only time, in the test's."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from messages_app.environment import CHECKOUT, Settings
from messages_app.errors import PollerError

MANAGE = str(Path(CHECKOUT) / "manage.py")
REPLAY = f"{sys.executable} {MANAGE} replay"


class Manage:
    """Runs `manage.py` as a process of its own."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ

    def __call__(self, *arguments: str, status: int = 0, **environ: str) -> str:
        """Run a command to its end; return what it printed, check its exit status."""
        done = subprocess.run(
            [sys.executable, MANAGE, *arguments],
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=120,
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, output
        assert "Traceback" not in output, output
        return output

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            [sys.executable, MANAGE, *arguments],
            env=self.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class Commands:
    """Runs commands in a poller's environment of their own, on this test's database."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = folder / "state"
        self._monkeypatch = monkeypatch
        self.environ = {
            "PATH": os.environ["PATH"],
            "POLLER_STATE_DIR": str(self.state),
            "POLLER_EXPORTER": REPLAY,
            "DISCORD_TOKEN": "the.test.token",
            "POLLER_CLOSING_DELAY": "30",
        }

    def __call__(self, *arguments: str, status: int = 0, **environ: str) -> str:
        """Run a command; return what it printed and said, check the status it would exit with."""
        environ = self.environ | environ
        with self._monkeypatch.context() as patch:
            for name in environ:
                patch.setenv(name, environ[name])
            patch.setattr(settings, "POLLER", Settings(environ))
            output, ended_with = _run(arguments)
        assert ended_with == status, output
        return output


def _run(arguments: tuple[str, ...]) -> tuple[str, int]:
    output = io.StringIO()
    status = 0
    with redirect_stdout(output), redirect_stderr(output):
        try:
            call_command(*arguments)
        except PollerError as error:
            print(error)
            status = error.status
        except CommandError as error:  # what argparse refuses
            print(error)
            status = 2
        except SystemExit as end:
            assert isinstance(end.code, int)
            status = end.code
    return output.getvalue(), status

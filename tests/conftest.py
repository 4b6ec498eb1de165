"""What the tests share: the database of the run, told to processes too, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from tests.commands import MANAGE, REPLAY, Commands


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The DATABASE_URL of this test's database, for processes that the test starts."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    return f"postgres://{settings['USER']}@/{settings['NAME']}?host={quote(settings['HOST'])}"


@pytest.fixture
def environ(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a poller on this test's database, with the replay exporter."""
    return {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
        "DATABASE_URL": database_url,
        "POLLER_STATE_DIR": str(tmp_path / "state"),
        "POLLER_EXPORTER": REPLAY,
        "DISCORD_TOKEN": "the.test.token",
    }


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


@pytest.fixture
def manage(environ: dict[str, str]) -> Iterator[Manage]:
    yield Manage(environ)


@pytest.fixture
def commands(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands in this process, on a database that forgets all of it afterwards."""
    return Commands(tmp_path, monkeypatch)

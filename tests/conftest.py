"""What the tests share: the database of the run, told to processes too, and the command line."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from tests.commands import REPLAY, Commands, Manage


def pytest_configure(config: pytest.Config) -> None:
    """Have each run find the same system, wherever and however it was started."""
    # What this host says of its clock is not what is tested: see test_clocks.
    says_synchronised = tempfile.mkdtemp(prefix="discord-poller-test-")
    config.add_cleanup(lambda: shutil.rmtree(says_synchronised))
    busctl = Path(says_synchronised) / "busctl"
    busctl.write_text("#!/bin/sh\necho b true\n")
    busctl.chmod(0o755)
    os.environ["PATH"] = f"{says_synchronised}:{os.environ['PATH']}"
    # Started in the background, a run ignores Ctrl+C, and so would the processes that it tests.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    other_engine = "postgresql" if connection.vendor == "sqlite" else "sqlite"
    others = [item for item in items if item.get_closest_marker(other_engine)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where CI runs, a test that is skipped for want of a program is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if "CI" in os.environ and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


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
        "POLLER_CLOSING_DELAY": "30",
    }


@pytest.fixture
def manage(environ: dict[str, str]) -> Iterator[Manage]:
    yield Manage(environ)


@pytest.fixture
def commands(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands in this process, on a database that forgets all of it afterwards."""
    return Commands(tmp_path, monkeypatch)


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read by the importing process, also from memory."""
    monkeypatch.setattr(
        "messages_app.document.reader_process._is_best_read_here", lambda _stream: True
    )


@pytest.fixture(params=["read here", "read beside"])
def reading_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read by the importing process as if they were small, or as if they were large."""
    least = 0 if request.param == "read beside" else sys.maxsize
    monkeypatch.setattr("messages_app.document.reader_process.LEAST_BYTES_BESIDE", least)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})

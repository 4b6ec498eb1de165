"""SIGTERM and SIGINT: the process is gone within two seconds, and its exporters with it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.db import connection

from messages_app.interruption import STATUS_WHEN_STUCK
from messages_app.models import Feed, Poll
from messages_app.scheduling import add_session
from messages_app.windows import Window
from tests.commands import Manage
from tests.processes import wait_until_gone

# Two seconds, and one for a machine that is busy with other tests.
LONGEST_END_S = 3
POLL = ("poll_recent_messages",)


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for what `condition` finds, and return it."""
    give_up_at = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up_at, "it does not happen"
        time.sleep(0.01)
    return found


class LivePoller:
    """A live session on channels 201 and 202, and what the replay exporter was asked."""

    def __init__(self, manage: Manage, folder: Path) -> None:
        self.manage = manage
        self.log = folder / "calls.log"
        self.now = datetime.now(UTC)
        manage.environ["REPLAY_LOG"] = str(self.log)
        self.session = add_session(
            "Live",
            Window(self.now - timedelta(seconds=60), self.now + timedelta(hours=1)),
            [201, 202],
        )

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def started_exports(self, count: int) -> list[int]:
        """Wait until so many exporters run; return the ids of all their processes."""
        until(lambda: self.log.exists() and len(self.calls()) >= count)
        return [call[key] for call in self.calls() for key in ("pid", "grandchild") if key in call]

    def range_arguments(self) -> tuple[str, ...]:
        start, end = self.session.start_time, self.session.start_time + timedelta(seconds=50)
        return "import_messages", "--start", start.isoformat(), "--end", end.isoformat()

    def runs(self) -> list[Path]:
        return list((Path(self.manage.environ["POLLER_STATE_DIR"]) / "runs").iterdir())


@pytest.fixture
def poller(manage: Manage, tmp_path: Path) -> LivePoller:
    return LivePoller(manage, tmp_path)


def interrupted(process: subprocess.Popen[str], number: int) -> str:
    """Send the signal, check that the process ends in time; return what it said."""
    process.send_signal(number)
    started = time.monotonic()
    said, _ = process.communicate(timeout=10)
    assert time.monotonic() - started < LONGEST_END_S
    assert "Traceback" not in said, said
    return said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["poll_recent_messages", "import_messages"])
def test_a_signal_ends_the_run_its_exporters_and_its_leases(
    poller: LivePoller, command: str, number: int
) -> None:
    arguments = POLL if command in POLL else poller.range_arguments()
    with poller.manage.start(*arguments, REPLAY_FAULT="hang-tree") as process:
        exporters = poller.started_exports(2)
        said = interrupted(process, number)

    assert process.returncode == -number
    assert (
        said.splitlines()[-1] == f"Interrupted by {signal.Signals(number).name}; nothing is lost."
    )
    assert len(exporters) == 4
    wait_until_gone(*exporters)
    assert not Feed.objects.exclude(lease_until=None).exists()
    assert not Poll.objects.exists()
    assert poller.runs() == []


def test_a_second_signal_does_not_stop_the_clean_up(poller: LivePoller) -> None:
    with poller.manage.start(*POLL, REPLAY_FAULT="hang-tree") as process:
        exporters = poller.started_exports(2)
        process.send_signal(signal.SIGINT)
        interrupted(process, signal.SIGINT)

    assert process.returncode == -signal.SIGINT
    wait_until_gone(*exporters)
    assert poller.runs() == []


def test_a_signal_ends_the_import_of_a_file(poller: LivePoller, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with poller.manage.start("import_messages", str(tmp_path / "pipe")) as process:
        until(lambda: _handles(process.pid, signal.SIGTERM))
        interrupted(process, signal.SIGTERM)

    assert process.returncode == -signal.SIGTERM


@contextmanager
def locked_database(database_url: str) -> Iterator[None]:
    """Nobody else can write a feed for as long as this holds."""
    blocker: Any
    if connection.vendor == "sqlite":
        blocker = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
    else:
        blocker = psycopg2.connect(database_url)
        blocker.cursor().execute("LOCK TABLE messages_app_feed IN EXCLUSIVE MODE")
    try:
        yield
    finally:
        blocker.rollback()
        blocker.close()


def test_a_signal_ends_a_run_that_waits_for_the_database(
    poller: LivePoller, database_url: str
) -> None:
    faults = "drip:0.5@201,hang-tree@202"
    with poller.manage.start(*POLL, REPLAY_FAULT=faults, POLLER_EXPORT_TIMEOUT="60") as process:
        exporters = poller.started_exports(2)
        with locked_database(database_url):
            wait_until_gone(*(call["pid"] for call in poller.calls() if "201" in call["argv"]))
            interrupted(process, signal.SIGTERM)

    assert process.returncode == STATUS_WHEN_STUCK
    wait_until_gone(*exporters)
    assert not Poll.objects.exists()


def _handles(pid: int, number: int) -> bool:
    """Whether the process has a handler of its own for this signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)

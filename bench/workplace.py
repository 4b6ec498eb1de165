"""A poller of the bench's own: its folder, its environment, its database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from messages_app.environment import CHECKOUT

PYTHON = sys.executable
MANAGE = f"{CHECKOUT}/manage.py"
TICK = [PYTHON, "-I", "-S", MANAGE, "poll_recent_messages"]
BARE_PYTHON = [PYTHON, "-I", "-S", "-c", "pass"]
# The smallest Django project; from a file, as manage.py is.
BARE_DJANGO = [PYTHON, "-m", "bench.bare", "one_query"]


class Workplace:
    """A migrated database in `folder`, or at `url`, and what a poller there is told."""

    def __init__(self, folder: Path, url: str = "") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.url = url or f"sqlite:///{folder}/db.sqlite3"
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": CHECKOUT,
            "DATABASE_URL": self.url,
            "POLLER_STATE_DIR": str(folder),
            "DISCORD_TOKEN": "the.bench.token",
        }
        self.manage("migrate", "--verbosity", "0")

    @property
    def is_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    def command(self, *arguments: str) -> list[str]:
        return [PYTHON, MANAGE, *arguments]

    def manage(self, *arguments: str) -> str:
        """Run one of our commands, and return what it printed."""
        done = subprocess.run(
            self.command(*arguments), env=self.environ, check=True, capture_output=True, text=True
        )
        return done.stdout

    def connect(self) -> Any:
        """A bare connection of the database's own driver, that commits by itself."""
        if self.is_sqlite:
            database = sqlite3.connect(f"{self.folder}/db.sqlite3", isolation_level=None)
            database.execute("PRAGMA synchronous = NORMAL")
            return database
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        return connection

    def add_live_session(self, channel_ids: Sequence[int]) -> None:
        """A session that began a moment ago."""
        now = datetime.now(UTC)
        channels = [word for number in channel_ids for word in ("--channel", str(number))]
        times = [
            *("--start", (now - timedelta(minutes=1)).isoformat()),
            *("--end", (now + timedelta(days=1)).isoformat()),
        ]
        self.manage("session", "add", "Bench", *times, *channels)

    def settle(self) -> None:
        """Let the last write be a while ago, as it is at an idle tick."""
        if self.is_sqlite:
            a_minute_ago = time.time() - 60
            os.utime(self.folder / "db.sqlite3", (a_minute_ago, a_minute_ago))


def filled(place: Workplace, count: int) -> Workplace:
    """`place` with that many messages in its table."""
    command = [PYTHON, "-m", "bench.fill", str(count)]
    subprocess.run(command, env=place.environ, cwd=CHECKOUT, check=True)
    return place

"""A database as the release before the forms left it, in the middle of a session.

`landed.json` holds its rows, written by that release's own code: former texts, deletions, forwards,
polls, odd documents.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from django.db import connection

from tests.commands import MANAGE

LAST_MIGRATION = "0002_search"
ROWS = json.loads(Path(__file__).with_name("landed.json").read_text(encoding="utf-8"))
SEARCHABLE = "INSERT INTO messages_app_search (rowid, content) SELECT discord_id, content"


@dataclass(frozen=True)
class Database:
    """A database beside the tests' own, on the engine of the run."""

    url: str
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.url,
            "POLLER_STATE_DIR": str(self.folder),
        }

    def manage(self, *words: str, status: int = 0) -> str:
        process = self.start(*words)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == status, output
        return output

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, MANAGE, *words],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def migrate(self, *words: str) -> str:
        return self.manage("migrate", "--no-backup", *words)

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """A cursor of the database's own driver, which commits by itself."""
        database: Any
        if connection.vendor == "sqlite":
            database = sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)
            database.execute("PRAGMA foreign_keys = ON")  # as Django does
        else:
            database = psycopg2.connect(self.url)
            database.autocommit = True
        with closing(database), closing(database.cursor()) as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET TIME ZONE 'UTC'")
            yield cursor

    def asked(self, question: str) -> list[tuple[Any, ...]]:
        with self.connected() as cursor:
            cursor.execute(question)
            return list(cursor.fetchall())

    def told(self, *statements: str) -> None:
        with self.connected() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows, under the columns that the former release knew."""
        return {
            table: self.asked(f"SELECT {', '.join(content['columns'])} FROM {table} ORDER BY 1")
            for table, content in ROWS.items()
        }


@contextmanager
def empty_database(folder: Path) -> Iterator[Database]:
    """A database without any table."""
    if connection.vendor == "sqlite":
        yield Database(f"sqlite:///{folder}/db.sqlite3", folder)
        return
    settings = connection.settings_dict
    name = f"{settings['NAME']}_beside"
    address = f"postgres://{settings['USER']}@/%s?host={settings['HOST']}"
    with closing(psycopg2.connect(address % settings["NAME"])) as server:
        server.autocommit = True
        server.cursor().execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.cursor().execute(f"CREATE DATABASE {name}")
        try:
            yield Database(address % name, folder)
        finally:
            server.cursor().execute(f"DROP DATABASE {name} WITH (FORCE)")


def fill(database: Database) -> None:
    """Put the former release's rows into a database with its schema."""
    with database.connected() as cursor:
        for table, content in ROWS.items():
            columns = content["columns"]
            mark = "?" if connection.vendor == "sqlite" else "%s"
            statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
            for row in content["rows"]:
                # PostgreSQL reads a text as whatever the column is.
                values = row if mark == "?" else [v if v is None else str(v) for v in row]
                cursor.execute(f"{statement} ({', '.join([mark] * len(columns))})", values)
        if connection.vendor == "sqlite":
            cursor.execute(f"{SEARCHABLE} FROM messages_app_message WHERE content <> ''")

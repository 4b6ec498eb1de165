"""`migrate`: an SQLite database is copied before it is changed."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from messages_app.gate import LATEST_MIGRATION, LATEST_MIGRATION_QUERY
from tests.commands import MANAGE


class Migrated:
    """An SQLite database and `manage.py migrate` on it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "db.sqlite3"
        self.backup = folder / "db.sqlite3.before-upgrade"

    def __call__(self, *words: str, status: int = 0, url: str | None = None) -> str:
        done = subprocess.run(
            [sys.executable, MANAGE, "migrate", *words],
            env={
                "PATH": os.environ["PATH"],
                "DATABASE_URL": url or f"sqlite:///{self.path}",
                "POLLER_STATE_DIR": str(self.path.parent),
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, output
        assert "Traceback" not in output, output
        return output


def last_migration(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        name: str = database.execute(LATEST_MIGRATION_QUERY).fetchone()[0]
        return name


@pytest.fixture
def migrate(tmp_path: Path) -> Migrated:
    return Migrated(tmp_path)


@pytest.fixture
def older(migrate: Migrated) -> Migrated:
    """A database of the first version, with one channel in it."""
    migrate("messages_app", "0001_initial")
    with closing(sqlite3.connect(migrate.path)) as database, database:
        database.execute("INSERT INTO messages_app_channel VALUES (200, 'pits', '', 1, 'races')")
    assert not migrate.backup.exists()
    return migrate


def channels(path: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT discord_id FROM messages_app_channel").fetchall()


def test_the_umask_tells_who_else_may_write_a_new_database(migrate: Migrated) -> None:
    before = os.umask(0o007)
    try:
        migrate()
    finally:
        os.umask(before)

    assert stat.S_IMODE(migrate.path.stat().st_mode) == 0o660


def test_a_database_that_is_about_to_change_is_copied_first(older: Migrated) -> None:
    older.path.chmod(0o660)

    output = older()

    assert f"The database as it was is kept in {older.backup}." in output
    assert (last_migration(older.path), channels(older.path)) == (LATEST_MIGRATION, [(200,)])
    assert (last_migration(older.backup), channels(older.backup)) == ("0001_initial", [(200,)])
    assert stat.S_IMODE(older.backup.stat().st_mode) == 0o660


def test_the_copy_holds_what_is_still_in_the_write_ahead_log(older: Migrated) -> None:
    with (
        closing(sqlite3.connect(older.path)) as reader,
        closing(sqlite3.connect(older.path)) as writer,
    ):
        reader.execute("BEGIN").execute("SELECT 1 FROM messages_app_channel").fetchall()
        with writer:
            writer.execute("INSERT INTO messages_app_channel VALUES (201, 'stands', '', 1, '')")
        older()

    assert channels(older.backup) == [(200,), (201,)]


def test_a_copy_takes_the_place_of_an_older_one(older: Migrated) -> None:
    older.backup.write_text("the copy of an earlier upgrade")

    older()

    assert channels(older.backup) == [(200,)]


def test_a_database_that_is_up_to_date_is_not_copied(migrate: Migrated) -> None:
    migrate()
    migrate()

    assert not migrate.backup.exists()


def test_nothing_is_copied_where_nothing_is_changed(older: Migrated) -> None:
    older("--plan")
    older("--check", status=1)

    assert not older.backup.exists()


def test_the_operator_can_go_without_a_copy(older: Migrated) -> None:
    older("--no-backup")

    assert last_migration(older.path) == LATEST_MIGRATION
    assert not older.backup.exists()


def test_error_for_a_copy_that_cannot_be_made(older: Migrated) -> None:
    older.backup.mkdir()

    output = older(status=69)

    assert output.count("\n") == 1
    assert "cannot be copied" in output and "--no-backup" in output
    assert last_migration(older.path) == "0001_initial"
    assert sorted(path.name for path in older.path.parent.glob("*unfinished*")) == []


def test_error_for_a_database_that_is_away(migrate: Migrated) -> None:
    output = migrate(status=69, url="postgres://nobody@127.0.0.1:9/poller")

    assert "The database cannot be reached" in output

"""The database as DATABASE_URL tells it, and SQLite so set up that nobody is locked out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from messages_app.database.connection import django_database
from messages_app.errors import ConfigurationError


@pytest.fixture
def connections(db: None, tmp_path: Path) -> Iterator[ConnectionHandler]:
    """The poller's and the web side's connections to one SQLite file."""
    entry = django_database(f"sqlite:///{tmp_path}/db.sqlite3")
    entry["OPTIONS"]["check_same_thread"] = False
    handler = ConnectionHandler({"default": entry, "web": entry})
    _execute(handler["default"], "CREATE TABLE message (id INTEGER)")
    yield handler
    handler.close_all()


def _execute(connection: BaseDatabaseWrapper, statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_readers_and_the_writer_do_not_wait_for_each_other(connections: ConnectionHandler) -> None:
    poller, web = connections["default"], connections["web"]
    _execute(web, "BEGIN")
    assert _execute(web, "SELECT count(*) FROM message") == [(0,)]

    _execute(poller, "BEGIN IMMEDIATE")
    _execute(poller, "INSERT INTO message VALUES (1)")
    assert _execute(web, "SELECT count(*) FROM message") == [(0,)], "as it was when it began"
    _execute(poller, "COMMIT")
    _execute(web, "COMMIT")

    assert _execute(web, "SELECT count(*) FROM message") == [(1,)]


def test_a_writer_waits_for_another_one(connections: ConnectionHandler) -> None:
    poller, web = connections["default"], connections["web"]
    _execute(poller, "BEGIN IMMEDIATE")
    _execute(poller, "INSERT INTO message VALUES (1)")
    release = threading.Timer(0.3, _execute, (poller, "COMMIT"))
    poller.inc_thread_sharing()
    release.start()

    _execute(web, "INSERT INTO message VALUES (2)")

    release.join()
    assert _execute(web, "SELECT count(*) FROM message") == [(2,)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://anna:s%40crt@db.example:5433/poller", ("anna", "s@crt", "db.example", "5433")),
        ("postgresql:///poller", ("", "", "", "")),
        ("postgres://anna@/poller?host=/run/postgresql", ("anna", "", "/run/postgresql", "")),
    ],
)
def test_a_postgresql_address_is_taken_apart(url: str, expected: tuple[str, ...]) -> None:
    entry = django_database(url)

    assert entry["NAME"] == "poller"
    assert tuple(entry[key] for key in ("USER", "PASSWORD", "HOST", "PORT")) == expected


@pytest.mark.parametrize("url", ["postgres://secret@host:port/name", "postgres://secret@host"])
def test_an_address_that_cannot_be_used_is_told_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        django_database(url)

    assert "DATABASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)

"""DATABASE_URL as Django wants it told."""

from __future__ import annotations

import sys

import pytest

from messages_app.database import django_database
from messages_app.errors import ConfigurationError
from tests.commands import Manage


def test_every_part_of_an_address_is_told() -> None:
    told = django_database("postgres://poll%40er:p%3Aw%2F@db.example:6543/race?sslmode=require")

    assert (told["USER"], told["PASSWORD"]) == ("poll@er", "p:w/")
    assert (told["HOST"], told["PORT"], told["NAME"]) == ("db.example", "6543", "race")
    assert told["OPTIONS"]["sslmode"] == "require"


def test_a_socket_is_named_as_a_host() -> None:
    told = django_database("postgresql://poller@/race?host=%2Fvar%2Frun%2Fpostgresql&port=5433")

    assert (told["HOST"], told["PORT"]) == ("/var/run/postgresql", "5433")
    assert "host" not in told["OPTIONS"]


def test_a_sqlite_path_is_taken_as_it_is() -> None:
    told = django_database("sqlite:////var/lib/with space%20/db.sqlite3")

    assert told["NAME"] == "/var/lib/with space%20/db.sqlite3"


def test_a_missing_driver_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for driver in ("psycopg2", "psycopg"):
        monkeypatch.setitem(sys.modules, driver, None)

    with pytest.raises(ConfigurationError, match="driver is missing: install python3-psycopg2"):
        django_database("postgres://poller@/race")


@pytest.mark.parametrize(
    ("command", "url", "words"),
    [
        ("migrate", "sqlite:////nowhere/db.sqlite3", "unable to open database file"),
        ("createsuperuser", "postgres://poller@/race?host=/nowhere", "cannot be reached"),
    ],
)
def test_an_outage_is_a_sentence_in_djangos_own_commands(
    manage: Manage, command: str, url: str, words: str
) -> None:
    output = manage(command, status=69, DATABASE_URL=url)

    assert words in output
    assert output.count("\n") == 1

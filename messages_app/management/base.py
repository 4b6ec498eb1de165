"""What all commands share: errors as sentences with the documented exit status, and a time zone."""

from __future__ import annotations

import sqlite3
import sys
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from messages_app.environment import Settings, snowflake
from messages_app.errors import DatabaseUnavailable, PollerError, UsageError
from messages_app.interruption import Interrupted, die_of
from messages_app.models import Session
from messages_app.schema import check_schema


class PollerCommand(BaseCommand):
    """A command of the project. Its `handle` returns its outcome in one line, or raises."""

    # The checks cost more than a whole poll, and `manage.py check` and CI run them.
    requires_system_checks: list[str] = []

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except PollerError as error:
            self.stderr.write(str(error), ending="\n")
            sys.exit(error.status)
        except Interrupted as interrupted:
            self.stderr.write(str(interrupted), ending="\n")
            sys.stderr.flush()
            die_of(interrupted)
        except BrokenPipeError:
            # Whoever read our output wants no more of it. Python would complain again at its end.
            sys.stdout = None

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            check_schema()
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            raise unavailable(error) from error

    @property
    def poller(self) -> Settings:
        """The settings of the project."""
        return settings.POLLER


def unavailable(error: Exception) -> DatabaseUnavailable:
    """What an operator must know of a database that cannot be used."""
    reason = " ".join(str(error).split())
    if isinstance(error.__cause__, sqlite3.Error):
        path = connection.settings_dict["NAME"]
        remedy = {
            "database is locked": "another program holds it; end that program",
            "database or disk is full": "free some space; the database is whole",
            "unable to open database file": "check that its folder exists and who may write it",
            "attempt to write a readonly database": "check who may write the file and its folder",
        }.get(reason, "check the disk and the file")
        return DatabaseUnavailable(f"The database {path} cannot be used ({reason}): {remedy}.")
    return DatabaseUnavailable(
        f"The database cannot be reached ({reason}): check that it runs and DATABASE_URL."
    )


def utc_now() -> datetime:
    """The clock of the commands."""
    return datetime.now(UTC)


def channel_ids(words: list[str]) -> list[int]:
    """Given `--channel` options, return their ids; raise UsageError."""
    ids = []
    for word in words:
        try:
            ids.append(snowflake(word))
        except ValueError as error:
            raise UsageError(f"--channel {word!r} {error}.") from None
    return list(dict.fromkeys(ids))


def found_session(session_id: int) -> Session:
    """Return the session; raise UsageError where there is none of that id."""
    try:
        return Session.objects.get(pk=session_id)
    except (Session.DoesNotExist, OverflowError):
        raise UsageError(
            f"There is no session {session_id}: `session list` shows those there are."
        ) from None


def parse_time(text: str, option: str, zone_name: str) -> datetime:
    """Given a time as typed, return it in UTC; naive ones are in POLLER_TIME_ZONE.

    Raise UsageError where it is no time, or one that the zone's clocks skip or show twice.
    """
    try:
        typed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is not a time: write it as 2026-01-31T20:00 or with an offset, "
            "as 2026-01-31T20:00+01:00."
        ) from None
    if typed.tzinfo is None:
        return _in_zone(typed, option, zone_name)
    return typed.astimezone(ZoneInfo("UTC"))


def _in_zone(typed: datetime, option: str, zone_name: str) -> datetime:
    zone = ZoneInfo(zone_name)
    early, late = (typed.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        raise UsageError(
            f"{option} {typed.isoformat()} is skipped or shown twice by the clocks in "
            f"{zone_name}: write it with an offset."
        )
    return early.astimezone(ZoneInfo("UTC"))

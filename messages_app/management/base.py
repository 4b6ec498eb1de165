"""What all commands share: errors as sentences with the documented exit status, and a time zone."""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import BaseCommand

from messages_app.database.outage import outages_explained
from messages_app.database.schema import check_schema
from messages_app.environment import CHECKOUT, Settings, is_package
from messages_app.errors import PollerError, UsageError
from messages_app.interruption import Interrupted, die_of
from messages_app.models import Session
from messages_app.scheduling import DISCORD_TIMES
from messages_app.snowflakes import LARGEST_ID, id_typed


class PollerCommand(BaseCommand):
    """A command of the project. Its `handle` returns its outcome in one line, or raises."""

    # The checks cost more than a whole poll, and `manage.py check` and CI run them.
    requires_system_checks: list[str] = []
    # Whether it can do nothing on a database that is not migrated.
    needs_the_schema = True

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
            flush_output()
        except PollerError as error:
            self.stderr.write(str(error), ending="\n")
            sys.exit(error.status)
        except Interrupted as interrupted:
            self.stderr.write(str(interrupted), ending="\n")
            sys.stderr.flush()
            die_of(interrupted.number)
        except KeyboardInterrupt:
            die_of(signal.SIGINT)
        except BrokenPipeError:
            discard_output()  # whoever read it wants no more of it

    def execute(self, *args: Any, **options: Any) -> str | None:
        with outages_explained():
            if self.needs_the_schema:
                check_schema()
            return super().execute(*args, **options)

    @property
    def poller(self) -> Settings:
        """The settings of the project."""
        return settings.POLLER


def flush_output() -> None:
    """Send off what was printed, here where a failure can be told; raise UsageError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise UsageError(f"The output cannot be written ({error.strerror}).") from None


def discard_output() -> None:
    """Print nothing more: Python would try the rest again at its end, and complain."""
    if sys.stdout is not None:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def own_command() -> list[str]:
    """The words that start this program again, in a checkout or where it is installed."""
    if is_package():
        return [sys.executable, "-I", "-m", "messages_app"]
    return [sys.executable, f"{CHECKOUT}/manage.py"]


def utc_now() -> datetime:
    """The clock of the commands."""
    return datetime.now(UTC)


def channel_ids(words: list[str]) -> list[int]:
    """Given `--channel` options, return their ids; raise UsageError."""
    ids = []
    for word in words:
        try:
            ids.append(id_typed(word))
        except ValueError as error:
            raise UsageError(f"--channel {word!r} {error}.") from None
    return list(dict.fromkeys(ids))


def found_session(session_id: int) -> Session:
    """Return the session; raise UsageError where there is none of that id."""
    # A number beyond the column's range is refused by some versions of the databases' drivers.
    session = Session.objects.filter(pk=session_id).first() if session_id <= LARGEST_ID else None
    if session is None:
        raise UsageError(f"There is no session {session_id}: `session list` shows those there are.")
    return session


def parse_time(text: str, option: str, zone_name: str) -> datetime:
    """Given a time as typed, return it in UTC; naive ones are in POLLER_TIME_ZONE.

    Raise UsageError where it is no time, not one of Discord's, or one that the zone's clocks skip
    or show twice.
    """
    try:
        typed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is not a time: write it as 2026-01-31T20:00 or with an offset, "
            "as 2026-01-31T20:00+01:00."
        ) from None
    try:
        instant = typed.astimezone(UTC) if typed.tzinfo else _in_zone(typed, option, zone_name)
    except OverflowError:  # on the first and the last day of the calendar
        instant = datetime.max.replace(tzinfo=UTC)
    if instant not in DISCORD_TIMES:
        raise UsageError(
            f"{option} {text!r} is not in Discord's time, which are the years "
            f"{DISCORD_TIMES.start.year} to {DISCORD_TIMES.end.year - 1}: correct it."
        )
    return instant


def _in_zone(typed: datetime, option: str, zone_name: str) -> datetime:
    zone = ZoneInfo(zone_name)
    early, late = (typed.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() != late.utcoffset():
        raise UsageError(
            f"{option} {typed.isoformat()} is skipped or shown twice by the clocks in "
            f"{zone_name}: write it with an offset."
        )
    return early.astimezone(UTC)

"""What an operator must know of a database that cannot be used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from messages_app.errors import Bug, DatabaseUnavailable, PollerError

# PostgreSQL's words for another transaction in the way: a lock that was not to be had in time, a
# deadlock, two changes of one row.
CONFLICTS = {"55P03", "40P01", "40001"}
# And for a change that a standby is asked for.
READ_ONLY = "25006"


@contextmanager
def outages_explained() -> Iterator[None]:
    """Turn what Django raises about a database that cannot be used into DatabaseUnavailable."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        if outage := outage_in(error):
            raise outage from error
        raise


def outage_in(error: BaseException | None) -> DatabaseUnavailable | None:
    """Given any error, return ours where it tells that the database cannot be used, else None."""
    # The plain DatabaseError is SQLite's for a file that is none of its own, or damaged.
    # Its other kinds tell of a mistake in this program, and must not look like an outage.
    if isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError:
        return _unavailable(error)
    if _code(error) == READ_ONLY:
        return DatabaseUnavailable(
            "The database takes no changes: DATABASE_URL leads to a standby, or to a server that "
            "is set to read only; name the primary there (where it names several hosts, "
            "target_session_attrs=read-write finds it)."
        )
    return None


def failure_in(error: Exception) -> PollerError:
    """Given what went wrong with one feed, return the failure to record of it.

    Raise the error itself where it tells that the database cannot be used, by nobody.
    """
    if isinstance(error, PollerError):
        return error
    outage = outage_in(error)
    if outage and not is_conflict(error):
        raise error
    return outage or Bug(error)


def is_conflict(error: Exception) -> bool:
    """Whether only another transaction was in the way, so that others can go on."""
    return _code(error) in CONFLICTS


def _code(error: BaseException | None) -> str | None:
    """PostgreSQL's code for an error of Django's."""
    cause = error and error.__cause__
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)


def _unavailable(error: BaseException) -> DatabaseUnavailable:
    """Given the error of Django's connection, return ours: what happened and what to do."""
    reason = " ".join(str(error).split())
    if isinstance(error.__cause__, sqlite3.Error):
        path = connection.settings_dict["NAME"]
        remedy = {
            "database is locked": "another program holds it; end that program",
            "database or disk is full": "free some space; the database is whole",
            "unable to open database file": "check that its folder exists and who may write it",
            "attempt to write a readonly database": "check who may write the file and its folder",
            "file is not a database": "correct DATABASE_URL, or put a backup in its place",
            "database disk image is malformed": "put a backup in its place",
        }.get(reason, "check the disk and the file")
        return DatabaseUnavailable(f"The database {path} cannot be used ({reason}): {remedy}.")
    return DatabaseUnavailable(
        f"The database cannot be reached ({reason}): check that it runs and DATABASE_URL."
    )

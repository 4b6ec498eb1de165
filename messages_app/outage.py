"""What an operator must know of a database that cannot be used."""

from __future__ import annotations

import sqlite3

from django.db import connection

from messages_app.errors import DatabaseUnavailable


def unavailable(error: Exception) -> DatabaseUnavailable:
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

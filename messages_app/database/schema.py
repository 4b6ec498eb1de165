"""Whether the database's schema is the one that this code was written for."""

from __future__ import annotations

from pathlib import Path

from django.db import OperationalError, ProgrammingError, connection

from messages_app.errors import ConfigurationError
from messages_app.gate import LATEST_MIGRATION, LATEST_MIGRATION_QUERY


def check_schema() -> None:
    """Raise ConfigurationError where migrations are pending or the database is a newer one's."""
    applied = applied_migration()
    if applied == LATEST_MIGRATION:
        return
    if applied is None or applied < LATEST_MIGRATION:
        raise ConfigurationError("The database is not migrated: run `migrate` first.")
    raise ConfigurationError(
        f"The database was migrated by a newer version (to {applied}, this one knows "
        f"{LATEST_MIGRATION}): install that version again."
    )


def applied_migration() -> str | None:
    """The name of the last migration that the database has, or None for an empty database."""
    if connection.vendor == "sqlite" and not Path(connection.settings_dict["NAME"]).exists():
        return None  # connecting would make an empty file
    connection.ensure_connection()
    try:
        with connection.cursor() as cursor:
            cursor.execute(LATEST_MIGRATION_QUERY)
            (name,) = cursor.fetchone()
    except (OperationalError, ProgrammingError) as error:
        if "django_migrations" in str(error):  # «no such table» and its like
            return None
        raise
    return str(name) if name else None

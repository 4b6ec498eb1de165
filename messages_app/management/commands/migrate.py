"""Django's `migrate`, which takes a copy of an SQLite database before it changes one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from messages_app.database.backup import back_up
from messages_app.database.outage import outages_explained
from messages_app.database.schema import applied_migration


class Command(migrate.Command):
    help = (
        "Brings the database up to date. An SQLite database is copied first, to a file beside it "
        "whose name ends with .before-upgrade. Example: migrate"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--no-backup", action="store_false", dest="backup", help="copy nothing before"
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        _make_file()  # before Django's checks connect
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> str | None:
        with outages_explained():
            is_dry = options["plan"] or options["check_unapplied"]
            if options["backup"] and not is_dry and _changes_stored_data(options):
                backup = back_up(Path(connection.settings_dict["NAME"]))
                if options["verbosity"]:
                    self.stdout.write(f"The database as it was is kept in {backup}.")
            return super().handle(*args, **options)


def _make_file() -> None:
    """Make the file of an SQLite database that has none, with the rights that the umask leaves.

    SQLite itself would keep the group from writing, and with it the web side, whose user is
    another one.
    """
    if connection.vendor != "sqlite" or connection.is_in_memory_db():  # type: ignore[attr-defined]
        return
    with suppress(OSError):  # it is there, or SQLite tells why it cannot be
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        os.close(os.open(connection.settings_dict["NAME"], flags, 0o666))


def _changes_stored_data(options: dict[str, Any]) -> bool:
    """Whether there is a file that holds data and a migration that has not been applied to it."""
    if connection.vendor != "sqlite" or applied_migration() is None:
        return False
    if options["app_label"]:
        return True  # a named migration may lead back, too
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))

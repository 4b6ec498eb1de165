"""What migrations of tables that are polled into need: short locks, and indexes built beside polls.

Such a migration is not atomic, has its statements in transactions of its own, and can be run again
wherever it was interrupted. Landed migrations import this module: its names stay.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, migrations, transaction

# A lock that is waited for keeps polls waiting behind it: so briefly, and often.
LOCK_TIMEOUT_MS = 500
PAUSE_S = 0.5
# A dump of a large database holds its locks for as long as it takes.
PATIENCE_S = 25 * 60
# How often the journal is told that a long statement goes on.
TOLD_EVERY_S = 15
# SQLite's steps between two looks at the clock: some milliseconds.
STEPS = 1_000_000


def tables(schema_editor: Any) -> set[str]:
    """The names of the tables that the database has."""
    with schema_editor.connection.cursor() as cursor:
        return set(schema_editor.connection.introspection.table_names(cursor))


def in_one_transaction(schema_editor: Any, statements: Sequence[str], lock: Sequence[str]) -> None:
    """Run `statements`, all or none; on PostgreSQL once the tables of `lock` can be had at once.

    Raise OperationalError where they cannot be had for PATIENCE_S.
    """
    connection = schema_editor.connection
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            if connection.vendor != "postgresql" or _locked(connection, cursor, lock):
                for statement in statements:
                    cursor.execute(statement)
                return
        if time.monotonic() > give_up_at:
            raise OperationalError(
                f"somebody has been using the table {lock[0]} for {PATIENCE_S // 60} minutes"
            )
        time.sleep(PAUSE_S)


def _locked(connection: Any, cursor: Any, names: Sequence[str]) -> bool:
    try:
        with transaction.atomic(connection.alias):
            cursor.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
            cursor.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", getattr(error.__cause__, "sqlstate", "")) != "55P03":
            raise
        return False
    return True


class BuildIndex(migrations.AddIndex):
    """AddIndex that on PostgreSQL keeps nobody from writing; on SQLite writers wait meanwhile.

    For a migration that is not atomic. What an interrupted one left is removed first.
    """

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        connection = schema_editor.connection
        is_postgresql = connection.vendor == "postgresql"
        beside_writers: dict[str, Any] = {"concurrently": True} if is_postgresql else {}
        sql = str(self.index.create_sql(model, schema_editor, **beside_writers))
        with connection.cursor() as cursor:
            is_valid = _is_valid(connection, cursor, self.index.name)
            if is_valid is False:
                cursor.execute(f'DROP INDEX CONCURRENTLY "{self.index.name}"')
            if not is_valid:
                with _told(connection, f"building the index {self.index.name}"):
                    cursor.execute(sql)


def _is_valid(connection: Any, cursor: Any, index: str) -> bool | None:
    """Whether the index is whole; None where there is none.

    One whose concurrent building was interrupted is there, is kept up and is never used.
    """
    if connection.vendor == "postgresql":
        statement = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
    else:
        statement = "SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = %s"
    cursor.execute(statement, [index])
    row = cursor.fetchone()
    return None if row is None else bool(row[0])


@contextmanager
def _told(connection: Any, doing: str) -> Iterator[None]:
    """Say on standard output, which is the journal, that something long goes on, and how long."""
    began = told = time.monotonic()

    def tell() -> int:
        nonlocal told
        now = time.monotonic()
        if now - told >= TOLD_EVERY_S:
            told = now
            _say(f"{doing}: {now - began:.0f} s so far")
        return 0

    is_sqlite = connection.vendor == "sqlite"
    if is_sqlite:
        connection.connection.set_progress_handler(tell, STEPS)
    try:
        yield
    finally:
        if is_sqlite:
            connection.connection.set_progress_handler(None, 0)
    if told > began:
        _say(f"{doing}: done in {time.monotonic() - began:.0f} s")


def _say(line: str) -> None:
    sys.stdout.write(f"\n  {line}")
    sys.stdout.flush()

"""PostgreSQL's COPY: the fastest way into a table, in the text format that both drivers pass on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any

from messages_app.document.rows import Row


def copy_rows(cursor: Any, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Insert `rows` through Django's cursor; raise IntegrityError where a row is there already."""
    statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
    text = "".join(f"{line}\n" for line in map(_line, rows))
    with cursor.db.wrap_database_errors:
        if hasattr(cursor.cursor, "copy_expert"):  # psycopg2
            cursor.cursor.copy_expert(statement, StringIO(text), len(text))
        else:
            with cursor.cursor.copy(statement) as copy:
                copy.write(text)


def _line(row: Row) -> str:
    return "\t".join([_field(value) for value in row])


def _field(value: int | str | None) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\")
        return escaped.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return str(value)

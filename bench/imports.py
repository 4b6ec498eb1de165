"""Measures imports: the whole command against the database's own limit, again, and its memory."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from bench.documents import CHANNEL_ID, write_export
from bench.measuring import cost, peak_mib, progress
from bench.results import Row
from bench.workplace import PYTHON, Workplace
from messages_app.rows import COLUMNS, MessageRow

NAMES = ", ".join(COLUMNS)
SELECT = f"SELECT {NAMES} FROM messages_app_message"
MARKS = ", ".join("?" * len(COLUMNS))
INSERT = f"INSERT INTO messages_app_message ({NAMES}) VALUES ({MARKS})"
INDEX = "INSERT INTO messages_app_search (rowid, content) VALUES (?, ?)"


def on_sqlite(folder: Path, new_place: Callable[[], Workplace], count: int, runs: int) -> list[Row]:
    """Rates, so the time that passes: reading and storing are two processes."""
    progress(f"imports of {count:,} messages on SQLite")
    export = write_export(folder / "export.json", count)
    of_table, of_both, again = [], [], []
    for _ in range(runs):
        place = new_place()
        command = place.command("import_messages", str(export))
        first_s = cost(command, place.environ).wall_s
        again.append(cost(command, place.environ).wall_s / first_s)
        rows = place.connect().execute(SELECT).fetchall()
        table_s, index_s = _executemany_s(rows, new_place())
        of_table.append(table_s / first_s)
        of_both.append((table_s + index_s) / first_s)
    export.unlink()
    what = "import, SQLite, of a bare executemany's rate, wall"
    return [
        Row(f"{what}, table alone", statistics.median(of_table), 0.40, "", is_floor=True),
        Row(
            f"{what}, with the search index",
            statistics.median(of_both),
            0.40,
            "",
            is_floor=True,
        ),
        Row("the same again, SQLite, of the first time", statistics.median(again), 1, ""),
    ]


def on_postgresql(
    folder: Path, new_place: Callable[[], Workplace], count: int, runs: int
) -> list[Row]:
    """Wall time, since the server's work is not the command's own."""
    progress(f"imports of {count:,} messages on PostgreSQL")
    export = write_export(folder / "export.json", count)
    rates, again = [], []
    for _ in range(runs):
        place = new_place()
        command = place.command("import_messages", str(export))
        first_s = cost(command, place.environ).wall_s
        again.append(cost(command, place.environ).wall_s / first_s)
        rates.append(_copy_s(place.connect()) / first_s)
    export.unlink()
    return [
        Row(
            "import, PostgreSQL, of the rate of a direct COPY, with the search index, wall",
            statistics.median(rates),
            0.40,
            "",
            is_floor=True,
        ),
        Row("the same again, PostgreSQL, of the first time", statistics.median(again), 1, ""),
    ]


def memory(new_place: Callable[[], Workplace], small: int, large: int) -> list[Row]:
    """The peak of the importing process and the one that reads, for an export through a pipe."""
    peaks = {}
    for count in (small, large):
        progress(f"import of {count:,} messages, memory")
        place = new_place()
        write = [PYTHON, "-m", "bench.documents", str(count)]
        command = place.command("import_messages", "-")
        with subprocess.Popen(write, env=place.environ, stdout=subprocess.PIPE) as writer:
            peaks[count] = peak_mib(command, place.environ, writer.stdout)
    return [
        Row(f"import of {large:,} messages, peak memory", peaks[large], 100, "MiB"),
        Row(f"its peak of that for {small:,} messages", peaks[large] / peaks[small], 1.1, ""),
    ]


def _executemany_s(rows: list[tuple[Any, ...]], place: Workplace) -> tuple[float, float]:
    """Seconds for ready rows: one transaction for the table, one for its search index."""
    database = place.connect()
    database.execute("INSERT INTO messages_app_channel VALUES (?, '', '', 0, '')", [CHANNEL_ID])
    texts = [(row.discord_id, row.content) for row in map(MessageRow._make, rows)]
    seconds = []
    for statement, values in ((INSERT, rows), (INDEX, texts)):
        started = time.perf_counter()
        database.execute("BEGIN")
        database.executemany(statement, values)
        database.execute("COMMIT")
        seconds.append(time.perf_counter() - started)
    database.close()
    return seconds[0], seconds[1]


def _copy_s(connection: Any) -> float:
    """Seconds that the server takes for the table's rows from ready text, in one transaction."""
    cursor = connection.cursor()
    text = StringIO()
    cursor.copy_expert(f"COPY messages_app_message ({NAMES}) TO STDOUT", text)
    cursor.execute("TRUNCATE messages_app_message CASCADE")
    text.seek(0)
    started = time.perf_counter()
    cursor.copy_expert(f"COPY messages_app_message ({NAMES}) FROM STDIN", text)
    seconds = time.perf_counter() - started
    connection.close()
    return seconds

"""Measures imports: the whole command against the database's own limit, again, and its memory."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from bench.measuring import cost, peak_mib, progress
from bench.results import Row
from bench.workplace import PYTHON, Workplace
from tests.large_exports import CHANNEL_ID, write_export

# The tables that an import fills, and on SQLite the search index of the second.
TABLES = ("messages_app_message", "messages_app_form")
INDEX = "messages_app_form_search (rowid, search_text, terms)"
INDEXED = "SELECT discord_id, search_text, terms FROM messages_app_form"


def on_sqlite(folder: Path, new_place: Callable[[], Workplace], count: int, runs: int) -> list[Row]:
    """Rates, so the time that passes: reading and storing are two processes."""
    progress(f"imports of {count:,} messages on SQLite")
    export = write_export(folder / "export.json", count)
    of_table, of_all, again = [], [], []
    for _ in range(runs):
        place = new_place()
        command = place.command("import_messages", str(export))
        first_s = cost(command, place.environ).wall_s
        again.append(cost(command, place.environ).wall_s / first_s)
        table_s, all_s = _executemany_s(place, new_place())
        of_table.append(table_s / first_s)
        of_all.append(all_s / first_s)
    export.unlink()
    what = "import, SQLite, of a bare executemany's rate, wall"
    return [
        Row(
            f"{what}, with forms and their index",
            statistics.median(of_all),
            0.40,
            "",
            is_floor=True,
        ),
        Row(f"{what}, messages alone", statistics.median(of_table), 0, "", is_floor=True),
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
            "import, PostgreSQL, of the rate of a direct COPY, with forms and their index, wall",
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
        write = [PYTHON, "-m", "tests.large_exports", str(count)]
        command = place.command("import_messages", "-")
        with subprocess.Popen(write, env=place.environ, stdout=subprocess.PIPE) as writer:
            peaks[count] = peak_mib(command, place.environ, writer.stdout)
    return [
        Row(f"import of {large:,} messages, peak memory", peaks[large], 100, "MiB"),
        Row(f"its peak of that for {small:,} messages", peaks[large] / peaks[small], 1.1, ""),
    ]


def _executemany_s(source: Workplace, place: Workplace) -> tuple[float, float]:
    """Seconds for ready rows: for the messages alone, and with their forms and the index."""
    database, ready = place.connect(), source.connect()
    _take_channel(database)
    copied = [(table, f"SELECT * FROM {table}") for table in TABLES]
    seconds = []
    for table, select in (*copied, (INDEX, INDEXED)):
        rows = ready.execute(select).fetchall()
        marks = ", ".join("?" * len(rows[0]))
        started = time.perf_counter()
        database.execute("BEGIN")
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        database.execute("COMMIT")
        seconds.append(time.perf_counter() - started)
    database.close()
    return seconds[0], sum(seconds)


def _take_channel(database: Any) -> None:
    database.execute(
        "INSERT INTO messages_app_channel (discord_id, name, category, guild_name)"
        " VALUES (?, '', '', '')",
        [CHANNEL_ID],
    )


def _copy_s(connection: Any) -> float:
    """Seconds that the server takes for the tables' rows from ready text, in one transaction."""
    cursor = connection.cursor()
    texts = {}
    for table in TABLES:
        texts[table] = StringIO()
        cursor.copy_expert(f"COPY {table} TO STDOUT", texts[table])
        texts[table].seek(0)
    cursor.execute("TRUNCATE messages_app_message CASCADE")
    started = time.perf_counter()
    cursor.execute("BEGIN")
    for table in TABLES:
        cursor.copy_expert(f"COPY {table} FROM STDIN", texts[table])
    cursor.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return seconds

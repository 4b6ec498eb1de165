"""`make bench`: measures what the project promises about speed, each as a ratio, in one run.

Prints the table and writes it into docs/: performance.json, performance.svg, performance.md.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench import hostile, imports, ticks, viewers
from bench.measuring import progress
from bench.results import Row, load, markdown, merged, save
from bench.workplace import PYTHON, Workplace, filled
from messages_app.environment import CHECKOUT
from tests.postgresql import Server, private_server


class Sizes(NamedTuple):
    """How much is measured."""

    runs: int
    ticks: int
    messages: int
    many_messages: int
    table: int
    minutes: int
    viewers: int
    watch_s: int


FULL = Sizes(15, ticks.TICKS_A_DAY, 100_000, 2_000_000, 5_000_000, 60, 200, 60)
QUICK = Sizes(1, 20, 2_000, 20_000, 20_000, 2, 10, 16)
SMALL_TABLE = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only see that it runs: small, nothing is written"
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="measure these again, such as live; default: all"
    )
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="discord-poller-bench-") as folder,
        private_server() as server,
    ):
        rows = measure(Path(folder), server, QUICK if options.quick else FULL, options.parts)
    print(markdown(rows), end="")
    if not options.quick:
        docs = Path(CHECKOUT) / "docs"
        save(merged(load(docs), rows) if options.parts else rows, docs)


def measure(folder: Path, server: Server, sizes: Sizes, only: list[str]) -> list[Row]:
    """The rows of these parts, or of all."""
    numbers = itertools.count(1)

    def on_sqlite() -> Workplace:
        return Workplace(folder / f"place-{next(numbers)}")

    def on_postgresql() -> Workplace:
        name = f"bench_{next(numbers)}"
        create = ["psql", "-q", "-d", server.url, "-c", f"CREATE DATABASE {name}"]
        subprocess.run(create, check=True)
        url = f"postgres://postgres@/{name}?host={server.folder}"
        return Workplace(folder / name, url)

    import_runs = max(1, sizes.runs // 4)
    few = min(SMALL_TABLE, sizes.many_messages // 2)
    parts: dict[str, Callable[[], list[Row]]] = {
        "memory": lambda: imports.memory(on_sqlite, few, sizes.many_messages),
        "idle": lambda: ticks.idle(on_sqlite(), sizes.runs),
        "idle-postgresql": lambda: ticks.idle_on_postgresql(on_postgresql(), sizes.runs),
        "day": lambda: ticks.idle_day(on_sqlite(), sizes.ticks),
        "live": lambda: ticks.live(on_sqlite(), sizes.runs),
        "import": lambda: imports.on_sqlite(folder, on_sqlite, sizes.messages, import_runs),
        "import-postgresql": lambda: imports.on_postgresql(
            folder, on_postgresql, sizes.messages, import_runs
        ),
        "upsert": lambda: [upsert("SQLite, CPU", on_sqlite, sizes.table, sizes.runs)],
        "upsert-postgresql": lambda: [
            upsert("PostgreSQL, wall", on_postgresql, sizes.table, sizes.runs)
        ],
        "channels": lambda: ticks.side_by_side(on_sqlite()),
        "freshness": lambda: [freshness(on_sqlite(), sizes.minutes)],
        "viewers": lambda: viewers.watching(on_sqlite(), sizes.table, sizes.viewers, sizes.watch_s),
        "hostile": lambda: [hostile.page(on_sqlite())],
    }
    if unknown := set(only) - parts.keys():
        sys.exit(f"There is no part {min(unknown)}; there are {', '.join(parts)}.")
    return [row for name, part in parts.items() if not only or name in only for row in part()]


def upsert(engine: str, new_place: Callable[[], Workplace], count: int, rounds: int) -> Row:
    """The large and the small table in turns."""
    progress(f"upsert of a window into a table of {count:,} rows, {engine}")
    large, small = filled(new_place(), count), filled(new_place(), SMALL_TABLE)
    ratios = [
        _printed("bench.window_upsert", large, number)
        / _printed("bench.window_upsert", small, number)
        for number in range(rounds)
    ]
    what = f"upsert of 200, table of {count:,} rows, of one of {SMALL_TABLE:,}, {engine}"
    return Row(what, statistics.median(ratios), 1.3, "")


def freshness(place: Workplace, minutes: int) -> Row:
    progress(f"freshness through {minutes} simulated minutes")
    place.environ["POLLER_EXPORTER"] = f"{PYTHON} {CHECKOUT}/manage.py replay"
    p99_s = _printed("bench.freshness", place, minutes)
    return Row("freshness, posted to stored, p99, 4 s exporter", p99_s, 36, "s")


def _printed(module: str, place: Workplace, argument: int) -> float:
    """The number that a module of the bench prints."""
    command = [PYTHON, "-m", module, str(argument)]
    done = subprocess.run(
        command, env=place.environ, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()

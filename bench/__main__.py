"""`make bench`: measures what the project promises about speed, each as a ratio, in one run.

Prints the table and writes it into docs/: performance.json, performance.svg, performance.md.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from bench import imports, ticks
from bench.measuring import progress
from bench.results import Row, markdown, save
from bench.workplace import PYTHON, Workplace
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


FULL = Sizes(15, ticks.TICKS_A_DAY, 100_000, 2_000_000, 5_000_000, 60)
QUICK = Sizes(1, 20, 2_000, 20_000, 20_000, 2)
SMALL_TABLE = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="only see that it runs: small, nothing is written"
    )
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="discord-poller-bench-") as folder,
        private_server() as server,
    ):
        rows = measure(Path(folder), server, QUICK if options.quick else FULL)
    print(markdown(rows), end="")
    if not options.quick:
        save(rows, Path(CHECKOUT) / "docs")


def measure(folder: Path, server: Server, sizes: Sizes) -> list[Row]:
    """All rows, in the order of the table."""
    numbers = itertools.count(1)

    def on_sqlite() -> Workplace:
        return Workplace(folder / f"place-{next(numbers)}")

    def on_postgresql() -> Workplace:
        name = f"bench_{next(numbers)}"
        create = ["psql", "-q", "-d", server.url, "-c", f"CREATE DATABASE {name}"]
        subprocess.run(create, check=True)
        url = f"postgres://postgres@/{name}?host={server.folder}"
        return Workplace(folder / name, url)

    idle = on_sqlite()
    import_runs = max(1, sizes.runs // 4)
    # First, since a process that is started counts what its parent held as its own peak.
    few = min(SMALL_TABLE, sizes.many_messages // 2)
    memory = imports.memory(on_sqlite, few, sizes.many_messages)
    return [
        *ticks.idle(idle, sizes.runs),
        *ticks.idle_on_postgresql(on_postgresql(), sizes.runs),
        *ticks.idle_day(idle, sizes.ticks),
        *ticks.live(on_sqlite(), sizes.runs),
        *imports.on_sqlite(folder, on_sqlite, sizes.messages, import_runs),
        *imports.on_postgresql(folder, on_postgresql, sizes.messages, import_runs),
        *memory,
        Row(
            f"upsert of 200, table of {sizes.table:,} rows, of one of {SMALL_TABLE:,}, SQLite",
            upsert_ms(on_sqlite(), sizes.table) / upsert_ms(on_sqlite(), SMALL_TABLE),
            1.3,
            "",
        ),
        *ticks.side_by_side(on_sqlite()),
        freshness(on_sqlite(), sizes.minutes),
    ]


def upsert_ms(place: Workplace, count: int) -> float:
    progress(f"upsert of a window into a table of {count:,} rows")
    return _printed("bench.window_upsert", place, count)


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

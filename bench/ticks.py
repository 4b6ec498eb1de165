"""Measures ticks: idle ones, a day of them, live ones, and several channels side by side."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.measuring import cost, progress, ratio
from bench.results import Row
from bench.workplace import BARE_DJANGO, BARE_PYTHON, TICK, Workplace
from messages_app.environment import CHECKOUT
from tests import large_exports

TICKS_A_DAY = 2880
INSTANT_EXPORTER = Path(CHECKOUT) / "bench/instant-exporter"
SLOW_EXPORTER = '#!/bin/sh\nsleep 4\nexec "${0%/*}/instant-exporter" "$@"\n'


def cpu_s(command: list[str], place: Workplace) -> float:
    return cost(command, place.environ).cpu_s


def idle(place: Workplace, runs: int) -> list[Row]:
    """Idle ticks on SQLite, against an empty Python and the smallest Django project."""
    progress("idle ticks on SQLite")
    place.settle()
    of_python = ratio(lambda: cpu_s(TICK, place), lambda: cpu_s(BARE_PYTHON, place), runs * 4)
    of_django = ratio(lambda: cpu_s(TICK, place), lambda: cpu_s(BARE_DJANGO, place), runs)
    return [
        Row("idle tick, SQLite, CPU, of an empty Python", of_python, 2, ""),
        Row("idle tick, SQLite, CPU, of a bare Django command", of_django, 0.10, ""),
    ]


def idle_on_postgresql(place: Workplace, runs: int) -> list[Row]:
    progress("idle ticks on PostgreSQL")
    of_django = ratio(lambda: cpu_s(TICK, place), lambda: cpu_s(BARE_DJANGO, place), runs)
    return [Row("idle tick, PostgreSQL, CPU, of a bare Django command", of_django, 0.35, "")]


def idle_day(place: Workplace, ticks: int) -> list[Row]:
    """What is written by the ticks of a day, by the kernel's account and by the files' looks."""
    progress(f"{ticks} idle ticks")
    place.settle()
    before = {path: path.stat().st_mtime_ns for path in [place.folder, *place.folder.rglob("*")]}
    blocks = sum(cost(TICK, place.environ).blocks_out for _ in range(ticks))
    after = {path: path.stat().st_mtime_ns for path in [place.folder, *place.folder.rglob("*")]}
    changed = len(before.items() ^ after.items())
    return [Row(f"idle day ({ticks:,} ticks), writes", blocks + changed, 0, "")]


def live(place: Workplace, runs: int) -> list[Row]:
    """Ticks of 20 new messages on two feeds; the CPU of the instant exporter is taken off."""
    progress("live ticks")
    channels = (201, 202)
    exporter = place.folder / "instant-exporter"
    shutil.copy(INSTANT_EXPORTER, exporter)
    place.environ["POLLER_EXPORTER"] = str(exporter)
    place.add_live_session(channels)
    exports = [
        [
            *("setpriv", "--pdeathsig", "KILL", "--", str(exporter)),
            *("--channel", str(channel), "--output", str(place.folder / "copy.json")),
        ]
        for channel in channels
    ]
    database = place.connect()

    def live_tick_s() -> float:
        database.execute("DELETE FROM messages_app_message")
        for channel in channels:
            _write_newest(place, channel)
        whole = cpu_s(TICK, place)
        return whole - sum(cpu_s(export, place) for export in exports)

    of_django = ratio(live_tick_s, lambda: cpu_s(BARE_DJANGO, place), runs)
    return [
        Row(
            "live tick, 20 messages on 2 feeds, CPU, of a bare Django command",
            of_django,
            1.25,
            "",
        )
    ]


def _write_newest(place: Workplace, channel: int) -> None:
    """Prepare an export of 10 messages of the last 10 s."""
    first = 1000 * channel
    start = datetime.now(UTC) - timedelta(seconds=10 + first * large_exports.STEP.total_seconds())
    path = place.folder / f"{channel}.json"
    large_exports.write_export(path, 10, first=first, channel_id=channel, start=start)


def side_by_side(place: Workplace) -> list[Row]:
    """One poll of eight channels with an exporter that takes 4 s."""
    progress("eight channels side by side")
    channels = range(301, 309)
    exporter = place.folder / "slow-exporter"
    shutil.copy(INSTANT_EXPORTER, place.folder / "instant-exporter")
    exporter.write_text(SLOW_EXPORTER)
    exporter.chmod(0o755)
    for channel in channels:
        _write_newest(place, channel)
    place.environ["POLLER_EXPORTER"] = str(exporter)
    place.add_live_session(channels)
    wall_s = cost(TICK, place.environ).wall_s
    return [Row("poll of 8 channels, 4 s each, wall", wall_s, 10, "s")]

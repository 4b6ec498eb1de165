"""Prints how old messages are when they are stored, in a simulated hour: the 99th percentile, s.

Run as `python -m bench.freshness MINUTES`, in the environment of a poller. Every tick runs the
replay exporter for real, which is told the simulated time; what Discord's own would take is added.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.lean")

import django

django.setup()

from messages_app.models import Message
from tests.simulation import Simulation, at, ticks

EXPORTER_S = 4


def ages_s(folder: Path, environ: dict[str, str], minutes: int) -> list[float]:
    """For every message of two channels, how long after its posting it was stored."""
    length_s = minutes * 60
    rng = random.Random(7)
    simulation = Simulation(folder / "replay", environ, length_s)
    for channel_id in simulation.channel_ids:
        for _ in range(length_s // 2):
            simulation.channel(channel_id).post(rng.uniform(0, length_s), "text")
    simulation.schedule()
    ages: list[float] = []
    known: set[int] = set()
    for tick_s in ticks(0, length_s + 61, rng):
        simulation.tick(tick_s)
        stored_at = at(tick_s) + timedelta(seconds=EXPORTER_S)
        new = Message.objects.exclude(pk__in=known).values_list("pk", "timestamp")
        for key, posted_at in new:
            known.add(key)
            ages.append((stored_at - posted_at).total_seconds())
    simulation.assert_equal_to_discord()
    return sorted(ages)


def p99(ages: list[float]) -> float:
    """The 99th percentile of sorted ages."""
    return ages[int(len(ages) * 0.99)]


def main(minutes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ages = ages_s(Path(folder), dict(os.environ), minutes)
    print(p99(ages))


if __name__ == "__main__":
    main(int(sys.argv[1]))

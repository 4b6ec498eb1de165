"""Runs that are killed at random moments leave nothing behind, and nothing is lost."""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path

import pytest
from django.db import connection, connections

from messages_app.models import Feed
from tests.killable import processes_of, start_tick
from tests.simulation import Simulation

pytestmark = pytest.mark.simulation

KILLS = 100
LENGTH_S = KILLS * 31.0


@pytest.fixture
def simulation(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Simulation:
    monkeypatch.setenv("DATABASE_URL", environ["DATABASE_URL"])
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "config.settings")
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S)
    rng = random.Random(7)
    for channel_id in simulation.channel_ids:
        channel = simulation.channel(channel_id)
        second = -50.0
        while second < LENGTH_S + 50:
            second += rng.uniform(1, 8)
            # What is edited after the last sweep is edited too late.
            is_edited = rng.random() < 0.1 and second + 50 < LENGTH_S
            edited = [(second + 50, f"edited {second:.3f}")] if is_edited else []
            deleted = second + 100 if rng.random() < 0.1 and second < LENGTH_S - 100 else None
            channel.post(round(second, 3), f"at {second:.3f}", edits=edited, deleted_at=deleted)
    return simulation


def test_a_hundred_killed_polls_lose_nothing(simulation: Simulation, tmp_path: Path) -> None:
    rng = random.Random(8)
    session = simulation.schedule()
    connections.close_all()
    patience_s = _seconds_of_a_run(simulation)
    killed = 0
    for number in range(1, KILLS):
        process = start_tick(simulation, number * 31.0)
        process.join(rng.uniform(0, patience_s))
        was_killed = process.is_alive()
        process.kill()
        process.join()
        killed += was_killed
        # However fast the machine is at the moment, most are killed, and at any point of a run.
        patience_s *= 1.1 if was_killed else 0.8
    assert KILLS / 2 < killed < KILLS - 1

    simulation.tick(LENGTH_S + 40)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)
    assert not Feed.objects.exclude(lease_until=None).exists()
    assert list((tmp_path / "state" / "runs").iterdir()) == []
    assert processes_of(simulation.folder) == []
    if connection.vendor == "sqlite":
        with sqlite3.connect(connection.settings_dict["NAME"]) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()


def _seconds_of_a_run(simulation: Simulation) -> float:
    start_tick(simulation, 1.0).join()  # the first one also starts the process to fork from
    started = time.monotonic()
    process = start_tick(simulation, 2.0)
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - started

"""A whole session, simulated: every message is present once, none from outside."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from messages_app.models import Message
from tests.simulation import Simulation, ticks

pytestmark = pytest.mark.simulation

HALF_AN_HOUR_S = 1800.0


@pytest.fixture
def session_of_half_an_hour(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    """Two channels with a message every 2 s from before the start until after the end."""
    simulation = Simulation(tmp_path / "replay", environ, HALF_AN_HOUR_S)
    for channel_id in simulation.channel_ids:
        channel = simulation.channel(channel_id)
        for second in range(-60, 1860, 2):
            channel.post(second, f"at {second}")
        # The edges: the last millisecond before, the first after, and those of a window.
        for edge in (-0.001, 0.001, 29.999, 30.001, 1799.999, 1800.001):
            channel.post(edge, f"at {edge}")
    return simulation


def test_a_session_is_stored_whole_and_nothing_else(session_of_half_an_hour: Simulation) -> None:
    simulation = session_of_half_an_hour
    session = simulation.schedule()

    outcomes = [simulation.tick(second) for second in ticks(-45, 1950, random.Random(1))]

    assert {outcome.status for outcome in outcomes} == {0}
    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)
    assert Message.objects.count() == len(simulation.truth()) == 2 * (900 + 4)


def test_the_exporter_is_asked_for_nothing_outside_the_session(
    session_of_half_an_hour: Simulation,
) -> None:
    simulation = session_of_half_an_hour
    session = simulation.schedule()

    for second in ticks(-100, 200, random.Random(2)):
        simulation.tick(second)
    for second in ticks(1700, 2200, random.Random(3)):
        simulation.tick(second)

    assert simulation.calls()
    for window in simulation.asked_windows():
        assert window.within(session.window) == window
        assert window.seconds <= 600

"""A bot that loses the Message Content intent sees messages without their texts: it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from messages_app.events import SIGHT_LOST
from messages_app.models import Message
from messages_app.replay.shapes import user
from messages_app.reporting.problems import problems_of
from messages_app.reporting.situation import take_situation
from tests.reporting.test_status import UNKNOWN
from tests.simulation import Simulation, at

LENGTH_S = 600

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def simulation(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    """Two channels with a message every 20 s, and with the bot's own, which it sees in any case."""
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S, (201, 202))
    for second in range(0, LENGTH_S, 20):
        for channel_id in simulation.channel_ids:
            simulation.channel(channel_id).post(second, f"said at {second}")
            simulation.channel(channel_id).post(second + 5, "ping", author=user("bot", is_bot=True))
    return simulation


def told(simulation: Simulation) -> list[str]:
    """The channels of which it was told."""
    return [
        event.fields["CHANNEL_ID"] for event in simulation.events if event.message_id == SIGHT_LOST
    ]


def problems(true_s: float) -> str:
    situation = take_situation(at(true_s), UNKNOWN)
    return " ".join(problem.sentence for problem in problems_of(situation, []))


def test_it_is_told_once_for_each_channel_and_nothing_is_taken_away(
    simulation: Simulation,
) -> None:
    simulation.fault(90, 200, "no-intent")
    session = simulation.schedule()

    for second in (30, 60):
        simulation.tick(second)
    assert (told(simulation), "Message Content" in problems(60)) == ([], False)

    for second in (90, 120, 150, 180):
        simulation.tick(second)
    assert sorted(told(simulation)) == ["201", "202"]
    assert "(201) of session" in problems(180)
    assert "shows messages without their texts since 2026-05-01 18:01 UTC" in problems(180)
    assert Message.objects.filter(timestamp__lt=at(60)).exclude(content="").count() == 12
    assert Message.objects.filter(content="").exists()

    for second in (210, 240, LENGTH_S + 30):
        simulation.tick(second)
    assert len(told(simulation)) == 2
    assert "Message Content" not in problems(240)
    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def test_it_is_told_again_where_it_happens_again(simulation: Simulation) -> None:
    simulation.fault(90, 100, "no-intent@201")
    simulation.fault(170, 180, "no-intent@201")
    simulation.schedule()

    for second in (60, 90, 120, 150, 170, 180):
        simulation.tick(second)

    assert told(simulation) == ["201", "201"]


def test_an_embed_that_somebody_took_away_is_no_lost_sight(simulation: Simulation) -> None:
    simulation.channel(201).post(
        45, "", message={"embeds": [{"title": "a title"}]}, edits=[(70, {"embeds": []})]
    )
    simulation.schedule()

    for second in (60, 90):
        simulation.tick(second)

    assert Message.objects.filter(content="").count() == 1
    assert told(simulation) == []

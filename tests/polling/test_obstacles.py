"""A message that the exporter cannot parse costs itself and its neighbour's proof, nothing else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from messages_app.events import OBSTACLE_FOUND, OBSTACLE_OVERCOME, SESSION_GIVEN_UP
from messages_app.models import Message, Obstacle
from messages_app.polling.detour import CRASHES
from messages_app.polling.obstacles import note_success, retry_all
from messages_app.reporting.sessions import session_details
from messages_app.windows import Window
from tests.simulation import Simulation, at

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.simulation]

WORDS = "Unknown sticker format '9'."
LENGTH_S = 3600
DAY_S = 86_400
BAD_S = 1501.5


@pytest.fixture
def simulation(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    return Simulation(tmp_path / "replay", environ, LENGTH_S, (201,))


def chat(simulation: Simulation, every_s: float, *, start_s: float = 0) -> list[str]:
    """A message every so often; return the ids of those that were posted in the session."""
    posted = []
    second = start_s
    while second < LENGTH_S + 600:
        number = simulation.channel(201).post(second, f"at {second}")
        posted += [number] if 0 <= second < LENGTH_S else []
        second += every_s
    return posted


def play(simulation: Simulation, until_s: float, step_s: float = 30) -> None:
    second = step_s
    while second < until_s:
        simulation.tick(second)
        second += step_s


def told(simulation: Simulation, message_id: str) -> list[str]:
    return [event.sentence for event in simulation.events if event.message_id == message_id]


@pytest.mark.parametrize("every_s", [2, 7, 25])
def test_only_the_message_itself_is_missing_and_the_gap_is_named(
    simulation: Simulation, every_s: float
) -> None:
    posted = chat(simulation, every_s, start_s=-110 * every_s)
    bad = simulation.channel(201).post(BAD_S, "new", unparsable=WORDS)
    session = simulation.schedule()

    play(simulation, LENGTH_S + 600)

    stored = {str(m) for m in Message.objects.shown().values_list("discord_id", flat=True)}
    assert set(posted) - stored == set()
    assert bad not in stored
    (obstacle,) = Obstacle.objects.all()
    assert obstacle.gap
    assert obstacle.gap.end == at(BAD_S) + timedelta(milliseconds=1)
    assert obstacle.gap.seconds < 100 * every_s
    (sentence,) = told(simulation, OBSTACLE_FOUND)
    assert WORDS in sentence
    session.refresh_from_db()
    assert (session.closed_at is not None, session.given_up) == (True, True)
    shown = session_details(session, at(LENGTH_S + 600))
    assert f"cannot parse a message («{WORDS}»): {obstacle.gap} is left out" in shown
    (feed,) = session.feeds.all()
    (gap,) = feed.coverage.gaps(session.window)
    assert gap.within(obstacle.gap) == gap
    assert gap.end == obstacle.gap.end
    (sentence,) = told(simulation, SESSION_GIVEN_UP)
    assert f"closed but for {obstacle.gap.seconds:g} s that the exporter cannot read" in sentence


def test_it_is_searched_for_in_one_run_and_told_as_no_failure(simulation: Simulation) -> None:
    chat(simulation, 5, start_s=-600)
    simulation.channel(201).post(BAD_S, "new", unparsable=WORDS)
    simulation.schedule()

    play(simulation, 1700)

    failures = [e for e in simulation.events if e.fields.get("OUTCOME") == "failed"]
    assert len(failures) == CRASHES
    assert not Obstacle.objects.filter(left=None).exists()
    calls = len(simulation.calls())
    assert simulation.tick(1730).status == 0
    assert len(simulation.calls()) == calls + 1, "one window a tick, as before"


def test_what_ended_exports_for_a_while_leaves_no_gap(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = Simulation(tmp_path / "replay", environ, 600, (201,))
    for second in range(600):
        simulation.channel(201).post(second, "hello")
    simulation.fault(100, 300, "crash")
    session = simulation.schedule()

    play(simulation, 270)
    assert Obstacle.objects.count() == 1
    play(simulation, 1000)

    assert not Obstacle.objects.exists()
    assert told(simulation, OBSTACLE_FOUND) + told(simulation, OBSTACLE_OVERCOME) == []
    session.refresh_from_db()
    assert (session.closed_at is not None, session.given_up) == (True, False)


@pytest.mark.parametrize(("apart_s", "gaps_s"), [(30, [30.501]), (700, [0.501, 1.501])])
def test_of_two_what_lies_within_a_page_between_them_is_left_out_too(
    tmp_path: Path, environ: dict[str, str], apart_s: float, gaps_s: list[float]
) -> None:
    simulation = Simulation(tmp_path / "replay", environ, 1200, (201,))
    posted = {simulation.channel(201).post(s, "hello"): at(s) for s in range(-450, 1800, 3)}
    for second in (300.5, 300.5 + apart_s):
        simulation.channel(201).post(second, "new", unparsable=WORDS)
    session = simulation.schedule()

    play(simulation, 1900)

    gaps = sorted(row.gap for row in Obstacle.objects.all() if row.gap)
    assert [gap.seconds for gap in gaps] == gaps_s
    stored = {str(m) for m in Message.objects.shown().values_list("discord_id", flat=True)}
    missing = [posted[each] for each in posted.keys() - stored if posted[each] in session.window]
    assert all(any(time in gap for gap in gaps) for time in missing)
    session.refresh_from_db()
    assert (session.closed_at is not None, session.given_up) == (True, True)


def test_nothing_is_known_while_it_is_the_newest_message(simulation: Simulation) -> None:
    for second in range(-600, 1500, 5):
        simulation.channel(201).post(second, "hello")
    simulation.channel(201).post(BAD_S, "new", unparsable=WORDS)
    simulation.channel(201).post(3000, "somebody speaks again")
    session = simulation.schedule()

    play(simulation, 3000)
    (obstacle,) = Obstacle.objects.all()
    assert (obstacle.high, session.feeds.get().error_kind) == (None, "exporter-crashed")

    play_on = [simulation.tick(second) for second in range(3010, 3200, 30)]
    assert play_on[-1].status == 0
    obstacle.refresh_from_db()
    assert obstacle.gap
    assert obstacle.gap.end == at(BAD_S) + timedelta(milliseconds=1)


def test_a_page_is_filled_with_messages_from_before_the_session(simulation: Simulation) -> None:
    posted = chat(simulation, 60, start_s=-600 * 60)
    simulation.channel(201).post(BAD_S, "new", unparsable=WORDS)
    session = simulation.schedule()

    play(simulation, LENGTH_S + 600)

    (obstacle,) = Obstacle.objects.all()
    assert obstacle.gap == Window(at(1500), at(BAD_S) + timedelta(milliseconds=1))
    stored = {str(m) for m in Message.objects.shown().values_list("discord_id", flat=True)}
    assert set(posted) - stored == set()
    assert session.feeds.get().swept.gaps(session.window) == [obstacle.gap]


def test_without_a_hundred_messages_before_it_none_of_them_can_be_proved(
    simulation: Simulation,
) -> None:
    chat(simulation, 60)
    simulation.channel(201).post(BAD_S, "new", unparsable=WORDS)
    session = simulation.schedule()

    play(simulation, LENGTH_S + 600)

    (obstacle,) = Obstacle.objects.all()
    assert obstacle.gap
    assert obstacle.gap.end == at(BAD_S) + timedelta(milliseconds=1)
    session.refresh_from_db()
    assert session.given_up
    covered = session.feeds.get().coverage
    assert covered.covered_until(session.window) == obstacle.gap.start
    assert covered.gaps(Window(obstacle.gap.end, session.end_time)) == []


def test_it_is_tried_again_when_it_is_due_also_after_the_session_was_closed(
    simulation: Simulation,
) -> None:
    posted = chat(simulation, 10, start_s=-1100)
    bad = simulation.channel(201).post(BAD_S, "new", unparsable=WORDS)
    session = simulation.schedule()
    play(simulation, LENGTH_S + 600)
    calls = len(simulation.calls())

    assert simulation.tick(LENGTH_S + 1000).sentence.startswith("No session is live")
    simulation.tick(LENGTH_S + 600 + DAY_S)
    assert len(simulation.calls()) == calls + 1, "once a day"

    entry = next(
        m for m in simulation.scenario.document["channels"]["201"]["messages"] if m["id"] == bad
    )
    del entry["unparsable"]  # another exporter was installed
    simulation.scenario.save(simulation.folder / "scenario.json")
    simulation.tick(LENGTH_S + 700 + DAY_S)
    assert len(simulation.calls()) == calls + 1
    assert retry_all(at(LENGTH_S + 700 + DAY_S)) == 1
    simulation.tick(LENGTH_S + 730 + DAY_S)

    stored = {str(m) for m in Message.objects.shown().values_list("discord_id", flat=True)}
    assert stored >= {*posted, bad}
    assert not Obstacle.objects.exists()
    assert len(told(simulation, OBSTACLE_OVERCOME)) == 1
    session.refresh_from_db()
    assert not session.given_up


def test_an_export_by_hand_that_reads_it_takes_it_out_of_the_way(simulation: Simulation) -> None:
    session = simulation.schedule()
    feed = session.feeds.get()
    Obstacle.objects.create(
        feed=feed,
        words=WORDS,
        found_at=at(0),
        low=at(11),
        high=at(12),
        back=50,
        reach=0,
        left=at(10),
    )
    assert note_success(feed, None, Window(at(0), at(11)), at(20)) == []
    (event,) = note_success(feed, None, Window(at(0), at(100)), at(200))
    assert event.message_id == OBSTACLE_OVERCOME
    assert not Obstacle.objects.exists()

"""An empty window is believed only where the channel is known to have been readable."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from messages_app.environment import Settings
from messages_app.errors import Unproved
from messages_app.events import SESSION_GIVEN_UP
from messages_app.models import Message, Poll, Session
from messages_app.polling.range_import import RangeImport, parts_of
from messages_app.polling.run_folder import Run
from messages_app.replay.scenario import Scenario
from messages_app.reporting.problems import problems_of
from messages_app.reporting.situation import take_situation
from messages_app.snowflakes import first_id
from messages_app.windows import Coverage, Window
from tests.simulation import START, Simulation, at, covered_at

LENGTH_S = 1200
DAY_S = 86_400
AFTER_S = LENGTH_S + 200


@pytest.fixture
def simulation(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    """A session of 20 minutes with one channel, which somebody has written in the day before."""
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S, (201,))
    simulation.channel(201).post(-DAY_S / 2, "the day before")
    return simulation


def is_complete(session: Session) -> bool:
    session.refresh_from_db()
    return session.closed_at is not None and not session.given_up


def test_a_channel_that_may_not_be_read_is_never_complete(simulation: Simulation) -> None:
    simulation.channel(201).post(60, "unseen")
    simulation.fault(-60, 3 * DAY_S, "no-history")
    session = simulation.schedule()

    outcomes = [simulation.tick(second) for second in (30, 600, AFTER_S, AFTER_S + 3600)]

    assert [outcome.status for outcome in outcomes] == [0, *[Unproved.status] * 3]
    feed = session.feeds.get()
    assert (feed.error_kind, feed.covered_windows) == (Unproved.kind, [])
    assert "Read Message History" in feed.error
    assert not is_complete(session)


def test_a_permission_that_comes_back_settles_it(simulation: Simulation) -> None:
    simulation.channel(201).post(60, "seen late")
    simulation.fault(-60, LENGTH_S, "no-history")
    session = simulation.schedule()

    for second in (30, 600, AFTER_S, AFTER_S + 30):
        simulation.tick(second)

    assert is_complete(session)
    assert Message.objects.get().content == "seen late"


def test_it_is_told_after_two_minutes_and_asked_for_ever_less_often(
    simulation: Simulation,
) -> None:
    simulation.channel(201).post(60, "unseen")
    simulation.fault(-60, 3 * DAY_S, "no-history")
    session = simulation.schedule()

    told = {}
    for second in range(30, 900, 30):
        polls = Poll.objects.count()
        status = simulation.tick(second).status
        if Poll.objects.count() > polls:
            told[second] = status, session.feeds.get().error_kind

    early, late = (0, ""), (Unproved.status, Unproved.kind)
    assert told == {30: early, 60: early, 90: early, 150: late, 270: late, 510: late}
    failures = [event for event in simulation.events if event.fields.get("OUTCOME") == "failed"]
    assert len(failures) == 3
    assert "Read Message History" in failures[0].sentence


def test_what_is_proved_within_two_minutes_is_told_nowhere(simulation: Simulation) -> None:
    simulation.channel(201).post(60, "seen a moment late")
    simulation.fault(61, 140, "no-history")
    session = simulation.schedule()

    outcomes = [simulation.tick(second) for second in range(30, 200, 30)]

    assert {outcome.status for outcome in outcomes} == {0}
    assert Poll.objects.filter(succeeded=False).count() == 2
    feed = session.feeds.get()
    assert (feed.failures, feed.error_kind, feed.next_attempt_at) == (0, "", None)
    assert not [event for event in simulation.events if event.fields.get("OUTCOME") == "failed"]


def test_a_session_of_long_ago_in_a_channel_that_began_with_it_ends_complete(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Its first windows are empty, and nothing before them shows that it may be read."""
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S, (201,))
    for second in (900, 1000):
        simulation.channel(201).post(second, f"at {second}")
    simulation.channel(201).post(LENGTH_S + 500, "behind it")
    session = simulation.schedule()

    outcome = simulation.tick(30 * DAY_S, POLLER_MAX_SPAN="100")

    assert outcome.status == 0
    assert is_complete(session)
    assert Message.objects.count() == 2
    probes = len(simulation.calls()) - len(simulation.asked_windows())
    assert probes == 10, "one for each empty window"


def test_the_message_that_a_probe_has_shown_is_asked_for_first_the_next_time(
    simulation: Simulation,
) -> None:
    """It was posted long ago: reaching back to it takes several calls, and once is enough."""
    long_ago = at(-300 * DAY_S)
    simulation.scenario = Scenario(START)
    simulation.channel(201).post(-300 * DAY_S, "long ago", message_id=first_id(long_ago) + 5)
    simulation.channel(201).post(10, "gone soon", deleted_at=40)
    simulation.channel(201).post(70, "gone soon, too", deleted_at=100)
    session = simulation.schedule()

    asked = {}
    for second in (30, 60, 90, 120):
        before = len(simulation.calls())
        simulation.tick(second)
        asked[second] = len(simulation.calls()) - before

    assert Message.objects.exclude(deleted_at=None).count() == 2
    assert asked[60] > 3
    assert asked[120] == 2
    assert session.feeds.get().shown_id == first_id(long_ago) + 5


@pytest.mark.parametrize("later_s", [None, LENGTH_S + 60])
def test_a_quiet_honest_channel_is_never_told(simulation: Simulation, later_s: int | None) -> None:
    if later_s:
        simulation.channel(201).post(later_s, "after the end")
    session = simulation.schedule()

    outcomes = [simulation.tick(second) for second in (30, 600, LENGTH_S + 10, AFTER_S)]

    assert {outcome.status for outcome in outcomes} == {0}
    assert is_complete(session)


def test_a_purge_is_a_deletion_where_the_channel_shows_another_message(
    simulation: Simulation,
) -> None:
    channel = simulation.channel(201)
    for second in (60, 120, 180):
        channel.post(second, f"at {second}", deleted_at=300)
    channel.post(1100, "stays")
    session = simulation.schedule()

    for second in (240, 1150, LENGTH_S + 10, AFTER_S):
        simulation.tick(second)

    assert is_complete(session)
    assert [message.content for message in Message.objects.shown()] == ["stays"]
    assert Message.objects.exclude(deleted_at=None).count() == 3


def test_a_purge_is_told_and_marks_nothing_where_nothing_is_left_to_see(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S, (201,))
    for second in (60, 120, 180):
        simulation.channel(201).post(second, f"at {second}", deleted_at=300)
    session = simulation.schedule()

    ticks = (240, LENGTH_S + 10, AFTER_S, AFTER_S + 150)
    outcomes = [simulation.tick(second) for second in ticks]

    assert [outcome.status for outcome in outcomes] == [0, 0, 0, Unproved.status]
    assert Message.objects.shown().count() == 3
    assert not is_complete(session)
    assert session.feeds.get().error_kind == Unproved.kind


def burst(simulation: Simulation, start_s: float, count: int = 250) -> None:
    for number in range(count):
        simulation.channel(201).post(start_s + number / 10, f"burst {number}")


def contents() -> list[str]:
    shown = Message.objects.shown().order_by("discord_id")
    return [content for content in shown.values_list("content", flat=True) if content]


def test_what_stands_behind_a_full_page_is_asked_for_again(simulation: Simulation) -> None:
    """Each export ends after its first page; each begins where the former one ended to tell."""
    burst(simulation, 60)
    simulation.fault(-60, DAY_S, "history-lost")
    session = simulation.schedule()

    outcomes = [simulation.tick(second) for second in (30, 600, LENGTH_S + 10, AFTER_S)]

    assert {outcome.status for outcome in outcomes} == {0}
    assert is_complete(session)
    assert contents() == [f"burst {number}" for number in range(250)]


def test_a_permission_that_is_lost_behind_the_first_page_covers_and_deletes_nothing(
    simulation: Simulation,
) -> None:
    burst(simulation, 60)
    simulation.fault(AFTER_S - 1, 3 * DAY_S, "history-lost")
    session = simulation.schedule()
    for second in (95, 600, LENGTH_S + 10):
        simulation.tick(second)
    calls = len(simulation.calls())

    def lose_the_rest(_look: int) -> None:
        if len(simulation.calls()) > calls:
            entry = {"from": at(0).isoformat(), "fault": "no-history"}
            (simulation.folder / "faults.json").write_text(json.dumps([entry]))

    simulation.meanwhile = lose_the_rest
    simulation.tick(AFTER_S)
    last = simulation.tick(AFTER_S + 150)

    assert last.status == Unproved.status
    assert contents() == [f"burst {number}" for number in range(250)]
    assert not is_complete(session)
    assert session.feeds.get().swept == Coverage([Window(at(0), at(69.9))])


def test_a_burst_is_covered_to_now_in_the_same_run_and_quickly_read_past(
    simulation: Simulation,
) -> None:
    burst(simulation, 60)
    session = simulation.schedule()

    simulation.tick(90)
    first = len(simulation.asked_windows())
    assert session.feeds.get().coverage.gaps(span_of(90)) == []
    simulation.tick(120)
    assert session.feeds.get().coverage.gaps(span_of(120)) == []
    assert (first, len(simulation.asked_windows()) - first) == (2, 2)


def span_of(polled_s: float) -> Window:
    return Window(at(0), covered_at(polled_s))


def test_what_stays_unproved_is_given_up_as_that_and_made_good_by_an_import(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """All that was said in the channel was deleted; two days later somebody says something."""
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S, (201,))
    for second in (60, 120, 180):
        simulation.channel(201).post(second, f"at {second}", deleted_at=300)
    simulation.channel(201).post(3 * DAY_S, "long after it")
    session = simulation.schedule()

    for second in (240, LENGTH_S + 10, AFTER_S, AFTER_S + 150):
        simulation.tick(second)
    # A day of such attempts later.
    Session.objects.update(stalled_s=DAY_S - 1)
    simulation.tick(AFTER_S + DAY_S)

    session.refresh_from_db()
    assert session.given_up
    assert Message.objects.shown().count() == 3
    [told] = [event for event in simulation.events if event.message_id == SESSION_GIVEN_UP]
    assert "as unproved: for a day nothing has proved that channel 201 may be read" in told.sentence
    assert told.fields["ERROR_KIND"] == Unproved.kind
    assert session.closed_at
    situation = take_situation(session.closed_at)
    assert "nothing proves that #channel-201 may be read" in str(problems_of(situation, []))

    import_range(simulation, Window(at(700), at(800)), at(4 * DAY_S))
    session.refresh_from_db()
    assert session.given_up, "that was another part"
    import_range(simulation, session.window, at(4 * DAY_S))
    session.refresh_from_db()
    assert is_complete(session)
    assert not Message.objects.shown().exists()


def import_range(simulation: Simulation, window: Window, now: datetime) -> None:
    environ = simulation.environ | {
        "REPLAY_SCENARIO": str(simulation.folder / "scenario.json"),
        "REPLAY_NOW": now.isoformat(),
    }
    settings = Settings(environ)
    with Run.of(settings) as run:
        ranges = RangeImport(settings, environ, run, lambda: now, simulation.events.append)
        ranges.import_parts(parts_of(window, Session.objects.get(), [], []))

"""A clock that is wrong loses nothing, and what it noted ahead of time is taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from messages_app.database.clock import Clocks, clocks_of
from messages_app.environment import Settings
from messages_app.errors import ConfigurationError
from messages_app.events import CLOCK_UNSYNCHRONISED, CLOCKS_DIFFER, Event
from messages_app.models import Feed, Poll, Session
from messages_app.polling.clock_check import check_clocks
from messages_app.polling.feed_progress import advance, rewind
from messages_app.polling.poll import poll_recent
from messages_app.polling.rewinding import reopen_closed_early
from messages_app.windows import Coverage
from tests.builders import at as minute
from tests.builders import make_feed, make_session, span
from tests.simulation import Simulation, at, covered_at

pytestmark = pytest.mark.simulation

LENGTH_S = 1200
# The usual ticks of a session, and after its end.
USUAL = (30, 150, 300, 450, 600, 630, 660, 900, 1195, 1231, 1261, 1291)


def simulated(
    folder: Path, environ: dict[str, str], error_s: Callable[[float], float], channels: int = 1
) -> Simulation:
    channel_ids = tuple(range(201, 201 + channels))
    simulation = Simulation(folder / "replay", environ, LENGTH_S, channel_ids)
    for channel_id in channel_ids:
        for second in range(5, LENGTH_S, 10):
            simulation.channel(channel_id).post(second, f"at {second}")
    simulation.clock_error_s = error_s
    return simulation


def ahead_at(*seconds: float, by_s: float) -> Callable[[float], float]:
    """A clock that is ahead at these ticks alone."""
    return lambda true_s: by_s if true_s in seconds else 0


@pytest.mark.parametrize("by_s", [90, 700, 3600, 86_400])
def test_a_clock_that_was_ahead_for_one_run_loses_nothing(
    tmp_path: Path, environ: dict[str, str], by_s: float
) -> None:
    simulation = simulated(tmp_path, environ, ahead_at(600, by_s=by_s))
    session = simulation.schedule()
    for second in USUAL:
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)
    reopened = [event for event in simulation.events if "is opened again" in event.sentence]
    assert len(reopened) == (600 + by_s > LENGTH_S + 30)


def test_what_a_clock_swept_ahead_of_time_is_swept_again(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = simulated(tmp_path, environ, ahead_at(600, by_s=700), channels=2)
    simulation.fault(590, 610, "crash", channel="202")
    session = simulation.schedule()
    for second in USUAL:
        simulation.tick(second)
        if second == 600:
            swept = Feed.objects.get(channel_id=201).swept
            assert swept.gaps(session.window) == [], "the one channel was swept too early"

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def test_what_was_swept_shortly_before_the_end_is_not_taken_for_swept_after_it(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = simulated(tmp_path, environ, ahead_at(1170, by_s=120), channels=2)
    simulation.fault(1160, 1180, "crash", channel="202")
    session = simulation.schedule()
    # Where the next run comes, the session is over by a clock that is right again.
    for second in (300, 600, 900, 1170, 1231, 1351):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def test_a_session_that_was_closed_early_is_opened_after_its_end_too(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = simulated(tmp_path, environ, ahead_at(600, by_s=3600))
    session = simulation.schedule()
    for second in (300, 600, 2000, 2030):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


@pytest.mark.parametrize("by_s", [90, 3600, 86_400, -90, -3600])
@pytest.mark.parametrize("of_two", [False, True])
def test_a_host_whose_clock_is_wrong_polls_nothing_where_the_database_knows_the_time(
    tmp_path: Path, environ: dict[str, str], by_s: float, of_two: bool
) -> None:
    simulation = simulated(tmp_path, environ, lambda _true_s: 0)
    simulation.is_true_time_known = True
    session = simulation.schedule()
    refusals = 0
    for number, second in enumerate(USUAL):
        wrong = not (of_two and number % 2)
        simulation.clock_error_s = ahead_at(second, by_s=by_s if wrong else 0)
        polls = Poll.objects.count()
        try:
            simulation.tick(second)
        except ConfigurationError as error:
            assert wrong
            assert f"{abs(by_s)} s apart: nothing is polled" in str(error)
            refusals += 1
        assert not wrong or Poll.objects.count() == polls
    assert refusals >= (5 if of_two else len(USUAL))
    simulation.clock_error_s = lambda _true_s: 0
    for second in (USUAL[-1] + 30, USUAL[-1] + 60):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)
    assert sum("is closed" in event.sentence for event in simulation.events) == 1


@pytest.mark.parametrize("by_s", [29, -29])
def test_clocks_that_differ_a_little_lose_nothing_and_are_told(
    tmp_path: Path, environ: dict[str, str], by_s: float
) -> None:
    simulation = simulated(tmp_path, environ, lambda _true_s: by_s)
    simulation.is_true_time_known = True
    session = simulation.schedule()
    for second in (*USUAL, USUAL[-1] + 60):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)
    told = {event.sentence for event in simulation.events if event.message_id == CLOCKS_DIFFER}
    here, there = (f"{at(30 + more):%H:%M:%S}" for more in (by_s, 0))
    assert any(f"{here} UTC here and 2026-05-01 {there} UTC by the data" in each for each in told)


@pytest.mark.parametrize(("by_s", "known_s"), [(0, 60), (20, 60), (-20, 40)])
def test_nothing_counts_beyond_the_earlier_of_both_clocks(
    tmp_path: Path, environ: dict[str, str], by_s: float, known_s: float
) -> None:
    simulation = simulated(tmp_path, environ, lambda _true_s: by_s)
    simulation.is_true_time_known = True
    session = simulation.schedule()

    simulation.tick(60)

    covered = {feed.coverage.windows[-1].end for feed in session.feeds.all()}
    assert covered == {covered_at(known_s)}


@pytest.mark.parametrize(
    ("ahead_s", "overlap_s", "told"),
    [
        (4.9, 30, ""),
        (-4.9, 30, ""),
        (5, 30, "warned"),
        (-5, 30, "warned"),
        (29.9, 30, "warned"),
        (-29.9, 0, "warned"),
        (30, 0, "refused"),
        (-30, 30, "refused"),
        (59, 60, "warned"),
        (60, 60, "refused"),
    ],
)
def test_how_much_clocks_may_differ(ahead_s: float, overlap_s: float, told: str) -> None:
    events: list[Event] = []
    clocks = Clocks(lambda: at(0), timedelta(seconds=ahead_s))
    try:
        check_clocks(clocks, overlap_s, events.append)
    except ConfigurationError as error:
        assert told == "refused"
        assert "2026-05-01 18:00:00 UTC here" in str(error)
        return
    assert [event.message_id for event in events] == ([CLOCKS_DIFFER] if told else [])
    assert told != "refused"


def test_clocks_that_differ_stop_nobody_while_nothing_is_due(environ: dict[str, str]) -> None:
    make_session(600, 660)
    clocks = Clocks(lambda: at(0), timedelta(hours=1))
    outcome = poll_recent(Settings(environ), environ, clocks, lambda _event: None)
    assert outcome.sentence.startswith("No session is live")


@pytest.mark.parametrize("due_by_s", [-3600, 3600])
def test_what_is_due_by_one_of_two_clocks_is_reason_enough_to_complain(
    environ: dict[str, str], due_by_s: float
) -> None:
    make_session(60, 120)
    host = minute(90) - timedelta(seconds=min(due_by_s, 0))
    with pytest.raises(ConfigurationError):
        poll_recent(
            Settings(environ),
            environ,
            Clocks(lambda: host, timedelta(seconds=due_by_s)),
            lambda _event: None,
        )


@pytest.mark.parametrize("by_s", [90, 170])
def test_a_clock_that_stays_ahead_by_less_than_the_closing_delay_loses_nothing(
    tmp_path: Path, environ: dict[str, str], by_s: float
) -> None:
    del environ["POLLER_CLOSING_DELAY"]
    simulation = simulated(tmp_path, environ, lambda _true_s: by_s)
    simulation.channel(201).post(LENGTH_S - 0.5, "the last words")
    session = simulation.schedule()
    for second in range(30, LENGTH_S + 200, 30):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


@pytest.fixture
def busctl(tmp_path: Path, environ: dict[str, str]) -> Path:
    """A `busctl` that answers what stands in this file."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "busctl"
    program.write_text(f'#!/bin/sh\necho "$*" >> {folder}/asked\ncat {folder}/answer\n')
    program.chmod(0o755)
    environ["PATH"] = f"{folder}:{environ['PATH']}"
    return folder / "answer"


@pytest.mark.parametrize(("answer", "is_told"), [("b false", True), ("b true", False), ("", False)])
def test_on_sqlite_an_unsynchronised_clock_is_told_once_a_session(
    tmp_path: Path, environ: dict[str, str], busctl: Path, answer: str, is_told: bool
) -> None:
    busctl.write_text(answer)
    simulation = simulated(tmp_path, environ, lambda _true_s: 0, channels=2)
    simulation.schedule()
    for second in (30, 60, 90):
        simulation.tick(second)

    told = [event for event in simulation.events if event.message_id == CLOCK_UNSYNCHRONISED]
    assert len(told) == (is_told and connection.vendor == "sqlite")
    if connection.vendor == "sqlite":
        asked = (busctl.parent / "asked").read_text().splitlines()
        assert len(asked) == 1
        assert asked[0].endswith("org.freedesktop.timedate1 NTPSynchronized")


def test_a_host_that_is_behind_opens_nothing_that_others_closed_in_time(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = simulated(tmp_path, environ, lambda _true_s: 0)
    simulation.is_true_time_known = True
    session = simulation.schedule()
    for second in (600, 1231, 1261):
        simulation.tick(second)
    simulation.assert_closed_and_covered(session)
    before = list(Feed.objects.values())

    simulation.clock_error_s = lambda _true_s: -600
    with pytest.raises(ConfigurationError):
        simulation.tick(1291)
    simulation.clock_error_s = lambda _true_s: -29
    simulation.tick(1291)

    simulation.assert_closed_and_covered(session)
    assert list(Feed.objects.values()) == before


def test_only_what_was_closed_in_the_future_is_opened_again(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = simulated(tmp_path, environ, lambda _true_s: 0)
    early = simulation.schedule()
    Session.objects.update(closed_at=at(2), given_up=True)
    whole = Coverage([early.window]).to_json()
    Feed.objects.update(swept_windows=whole, covered_windows=whole)
    others = [
        make_session(-200, -100, closed_at=at(-60), title="In time"),
        make_session(-200, -100, closed_at=at(2), title="Just now"),
        make_session(-200, -100, closed_at=at(9999), title="Archive", is_archive=True),
    ]
    closed_at = {each.pk: each.closed_at for each in others}

    simulation.tick(0)
    assert Session.objects.filter(closed_at=None).count() == 0, "clocks differ by a little"
    Session.objects.filter(pk=early.pk).update(closed_at=at(2.1))
    simulation.tick(0)

    early.refresh_from_db()
    assert (early.closed_at, early.given_up) == (None, False)
    assert early.feeds.get().swept_windows == []
    rest = Session.objects.exclude(pk=early.pk)
    assert dict(rest.values_list("pk", "closed_at")) == closed_at


def test_advancing_cuts_what_was_swept_as_what_was_covered(environ: dict[str, str]) -> None:
    whole = Coverage([span(0, 60)]).to_json()
    feed = make_feed(make_session(0, 60), span(0, 60), swept_windows=whole)

    advance(feed, span(10, 20), minute(20), sweep=False)

    assert feed.coverage == feed.swept == Coverage([span(0, 20)])
    assert feed.swept_windows == Coverage([span(0, 20)]).to_json()


@pytest.mark.parametrize(
    ("now_min", "polled_min", "covered_min", "is_swept"),
    [
        (61, 61, 60, True),
        (61, None, 60, True),
        (60, 60, 60, True),
        (59.9, 59, 59.9, False),  # the session is not over
        (30, None, 30, False),
        (61, 61 + 2 / 60, 60, True),  # clocks differ by a little
        (61, 61.1, 60, False),  # the last poll's clock was ahead
    ],
)
def test_what_cannot_be_yet_is_taken_back(
    environ: dict[str, str],
    now_min: float,
    polled_min: float | None,
    covered_min: float,
    is_swept: bool,
) -> None:
    polled_at = None if polled_min is None else minute(polled_min)
    whole = Coverage([span(0, 60)])
    feed = make_feed(
        make_session(0, 60), span(0, 60), swept_windows=whole.to_json(), polled_at=polled_at
    )

    changed = rewind(feed, minute(now_min))

    assert feed.coverage == Coverage([span(0, covered_min)])
    assert feed.swept == (whole if is_swept else Coverage())
    assert changed is not is_swept
    assert feed.polled_at == (minute(61) if polled_min == 61.1 else polled_at)


def test_a_session_that_opens_again_is_read_again(environ: dict[str, str]) -> None:
    session = make_session(0, 60, closed_at=minute(62))
    whole = Coverage([span(0, 60)])
    feed = make_feed(session, span(0, 60), swept_windows=whole.to_json())

    reopen_closed_early(minute(61), lambda _event: None)

    feed.refresh_from_db()
    assert (feed.coverage, feed.swept_windows) == (whole, [])
    assert Session.objects.get().closed_at is None


@pytest.mark.parametrize("error_s", [-3600, 3600])
def test_the_earlier_of_two_clocks_is_believed(environ: dict[str, str], error_s: int) -> None:
    def true() -> datetime:
        return datetime.now(UTC)

    def host() -> datetime:
        return true() + timedelta(seconds=error_s)

    clocks = clocks_of(host)
    if connection.vendor == "sqlite":
        assert clocks == Clocks(host)
        return
    second = timedelta(seconds=60)
    earliest, latest = (true, host) if error_s > 0 else (host, true)
    assert abs(clocks.database() - true()) < second
    assert abs(clocks.earliest() - earliest()) < second
    assert abs(clocks.latest() - latest()) < second

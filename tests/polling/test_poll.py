"""What one run does: backoff, catching up, closing, and what it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import OperationalError, connection

from messages_app.database.clock import Clocks
from messages_app.environment import CHECKOUT, Settings
from messages_app.events import SESSION_CLOSED, SESSION_GIVEN_UP
from messages_app.models import Feed, Message, Poll, Session
from messages_app.polling.poll import poll_recent
from messages_app.windows import Window
from tests.simulation import Simulation, at, covered_at

HOUR_S = 3600
DAY_S = 86_400


@pytest.fixture
def simulation(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    """An hour with a message every 10 s in one channel."""
    simulation = Simulation(tmp_path / "replay", environ, HOUR_S, (201,))
    channel = simulation.channel(201)
    for second in range(-30, HOUR_S + 30, 10):
        channel.post(second, f"at {second}")
    return simulation


def polled_at_s(simulation: Simulation) -> list[float]:
    """The seconds of the simulation at which the exporter was called."""
    return [
        (datetime.fromisoformat(call["time"]) - at(0)).total_seconds()
        for call in simulation.calls()
    ]


def purposes() -> list[str]:
    return list(Poll.objects.order_by("id").values_list("purpose", flat=True))


def test_a_failing_feed_is_asked_less_and_less_often(simulation: Simulation) -> None:
    simulation.fault(0, HOUR_S, "server-error:0")
    session = simulation.schedule()

    outcomes = {second: simulation.tick(second) for second in range(30, 1800, 30)}

    assert polled_at_s(simulation) == [30, 60, 120, 240, 480, 960, 1560]
    assert outcomes[60].status == 69
    assert outcomes[90].status == 0
    assert outcomes[90].sentence == (
        f"Session {session.pk} «Simulated» is live; waiting until 18:02:00 UTC after 2 failed "
        "polls (discord-unreachable)."
    )


def test_a_success_ends_the_backoff(simulation: Simulation) -> None:
    simulation.fault(0, 300, "server-error:0")
    session = simulation.schedule()

    for second in range(30, 660, 30):
        simulation.tick(second)

    assert polled_at_s(simulation)[:7] == [30, 60, 120, 240, 480, 510, 540]
    feed = session.feeds.get()
    assert (feed.failures, feed.next_attempt_at, feed.error) == (0, None, "")


def test_now_does_not_wait(simulation: Simulation) -> None:
    simulation.fault(0, 100, "server-error:0")
    simulation.schedule()
    for second in (30, 60):
        simulation.tick(second)
    environ = simulation.environ | {
        "REPLAY_SCENARIO": str(simulation.folder / "scenario.json"),
        "REPLAY_NOW": at(105).isoformat(),
    }

    outcome = poll_recent(
        Settings(environ),
        environ,
        Clocks(lambda: at(105)),
        simulation.events.append,
        ignore_backoff=True,
    )

    assert outcome.status == 0
    assert Message.objects.count() == 11


def test_a_refused_token_is_not_tried_again_soon_nor_by_the_other_feeds(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = Simulation(tmp_path / "replay", environ, HOUR_S, (201, 202, 203, 204, 205, 206))
    for channel_id in simulation.channel_ids:
        simulation.channel(channel_id).post(1, "hello")
    simulation.fault(0, 1300, "bad-token")
    simulation.schedule()

    outcomes = [simulation.tick(second) for second in range(30, 1900, 30)]

    assert [outcome.status for outcome in outcomes[:2]] == [69, 77]
    calls = polled_at_s(simulation)
    assert calls.count(30) == 6, "the exporter may be mistaken"
    assert calls.count(60) == 1, "so it is tried once more, on one feed"
    assert calls[7:9] == [660, 1260], "a refused token is tried on one feed, once in ten minutes"
    assert min(calls[9:]) == 1860, "then all are polled, and catch up"
    assert Message.objects.count() == 6


def test_a_clock_that_was_set_back_does_not_prolong_a_backoff(simulation: Simulation) -> None:
    simulation.fault(2000, 3000, "server-error:0")
    simulation.schedule()
    simulation.tick(2500)

    simulation.tick(500)

    assert polled_at_s(simulation) == [2500, 500]


def test_catching_up_reads_the_newest_window_first_then_the_oldest(simulation: Simulation) -> None:
    session = simulation.schedule()
    simulation.tick(30)

    simulation.tick(3000)

    windows = [poll.window for poll in Poll.objects.order_by("id")]
    assert purposes() == ["newest", "newest", *["catch-up"] * 6]
    assert windows[1] == Window(at(2970), at(3000))
    assert [window.start for window in windows[2:5]] == [at(0), at(570), at(1140)]
    assert session.feeds.get().coverage.windows == (Window(at(0), covered_at(3000)),)


def test_a_viewer_sees_fresh_messages_all_through_a_long_catch_up(simulation: Simulation) -> None:
    """Each look at this clock costs 6 s: as if every export took about 12 s."""
    simulation.schedule()
    environ = simulation.environ | {
        "REPLAY_SCENARIO": str(simulation.folder / "scenario.json"),
        "REPLAY_NOW": at(3300).isoformat(),
    }

    def ageing() -> Iterator[datetime]:
        now = at(3000)
        while True:
            yield now
            now += timedelta(seconds=6)

    clock = ageing()
    poll_recent(Settings(environ), environ, Clocks(lambda: next(clock)), simulation.events.append)

    assert "newest" in purposes()[2:5], "read again while catching up"
    newest = [poll.window for poll in Poll.objects.filter(purpose="newest").order_by("id")]
    assert all(
        (later.end - earlier.end).total_seconds() <= 60 for earlier, later in pairwise(newest)
    )


def test_a_chunk_that_takes_too_long_is_halved_until_it_fits(
    simulation: Simulation, tmp_path: Path
) -> None:
    slow_for_long_windows = tmp_path / "exporter.py"
    slow_for_long_windows.write_text(
        "import os, sys\n"
        "from datetime import datetime\n"
        f"sys.path.insert(0, {CHECKOUT!r})\n"
        "from messages_app.replay.cli import main\n"
        "after, before = (\n"
        "    datetime.fromisoformat(sys.argv[sys.argv.index(option) + 1])\n"
        "    for option in ('--after', '--before')\n"
        ")\n"
        "if (before - after).total_seconds() > 160:\n"
        "    os.environ['REPLAY_FAULT'] = 'hang'\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    session = simulation.schedule()
    simulation.tick(30)

    outcome = simulation.tick(
        650,
        POLLER_EXPORTER=f"{sys.executable} {slow_for_long_windows}",
        POLLER_EXPORT_TIMEOUT="1",
    )

    assert outcome.status == 75
    assert session.feeds.get().coverage.gaps(Window(at(0), covered_at(650))) == []
    slow = [
        poll.window.seconds for poll in Poll.objects.filter(error_kind="time-limit").order_by("id")
    ]
    assert slow[:2] == [600, 300]


def test_a_run_takes_on_nothing_new_when_its_budget_is_used_up(simulation: Simulation) -> None:
    session = simulation.schedule()

    simulation.tick(3500, POLLER_RUN_BUDGET="1", REPLAY_FAULT="slow:0.6")

    assert 1 <= Poll.objects.count() <= 3
    assert session.feeds.get().coverage.gaps(Window(at(0), at(3500)))


def test_the_tail_is_covered_after_the_end_and_the_session_closed(simulation: Simulation) -> None:
    session = simulation.schedule()
    for second in range(30, HOUR_S, 590):
        simulation.tick(second)

    tail = simulation.tick(HOUR_S + 10)
    assert Poll.objects.latest("id").window_end == session.end_time
    waiting = simulation.tick(HOUR_S + 29)
    simulation.tick(HOUR_S + 31)

    assert tail.sentence.startswith(f"Session {session.pk} «Simulated» is over; ")
    assert waiting.sentence == f"Session {session.pk} «Simulated» is over; nothing is due yet."
    assert purposes()[-6:] == ["sweep"] * 6
    assert [event.message_id for event in simulation.events].count(SESSION_CLOSED) == 1
    simulation.assert_closed_and_covered(session)
    calls = len(simulation.calls())
    assert simulation.tick(HOUR_S + 61).sentence == "No session is live, and none is scheduled."
    assert len(simulation.calls()) == calls


def test_a_session_is_given_up_after_a_day_of_attempts_that_got_no_further(
    simulation: Simulation,
) -> None:
    simulation.fault(HOUR_S / 2, HOUR_S + 3 * DAY_S, "server-error:0")
    session = simulation.schedule()
    step_s = DAY_S / 100
    first_s = HOUR_S + 60
    for second in (HOUR_S / 2 - 1, *(first_s + n * step_s for n in range(100))):
        simulation.tick(second)
        session.refresh_from_db()
        assert session.closed_at is None

    simulation.tick(first_s + 100 * step_s)

    session.refresh_from_db()
    assert session.given_up
    [told] = [event for event in simulation.events if event.message_id == SESSION_GIVEN_UP]
    assert "gaps of 1806 s" in told.sentence
    assert simulation.tick(HOUR_S + 2 * DAY_S).sentence.startswith("No session is live")


def test_a_session_without_channels_is_never_complete(simulation: Simulation) -> None:
    session = simulation.schedule()
    session.feeds.all().delete()
    simulation.tick(HOUR_S + DAY_S - 1)
    session.refresh_from_db()
    assert session.closed_at is None

    simulation.tick(HOUR_S + DAY_S + 1)

    session.refresh_from_db()
    assert session.given_up
    [told] = [event for event in simulation.events if event.message_id == SESSION_GIVEN_UP]
    assert "it has no channels" in told.sentence


def test_an_export_without_any_message_marks_nothing_as_deleted(simulation: Simulation) -> None:
    simulation.fault(50, 100, "quiet")
    simulation.schedule()
    simulation.tick(30)

    simulation.tick(60)

    assert Message.objects.count() == 4 - 1
    assert not Message.objects.exclude(deleted_at=None).exists()


def test_a_full_disk_stores_nothing_by_halves(simulation: Simulation) -> None:
    session = simulation.schedule()
    simulation.tick(30)
    with full_disk(), pytest.raises(OperationalError):
        simulation.tick(1800)

    covered = session.feeds.get().coverage
    stored = Message.objects.values_list("timestamp", flat=True)
    assert covered.gaps(Window(at(0), at(1800)))
    posted = [at(second) for second in range(0, 1800, 10)]
    assert set(stored) == {each for each in posted if any(each in w for w in covered.windows)}
    simulation.tick(1830)
    assert session.feeds.get().coverage.gaps(Window(at(0), covered_at(1830))) == []


class full_disk:  # noqa: N801 - reads as a condition
    """While it lasts, the database says so: by its own limit, or by the error of its own."""

    def __enter__(self) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("VACUUM")  # free pages inside the file would hide the limit
                cursor.execute("PRAGMA page_count")
                [pages] = cursor.fetchone()
                cursor.execute(f"PRAGMA max_page_count = {pages}")
            else:
                cursor.execute(
                    "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS "
                    "$$ BEGIN RAISE disk_full; END $$"
                )
                cursor.execute(
                    "CREATE TRIGGER disk_full BEFORE INSERT ON messages_app_message "
                    "FOR EACH STATEMENT EXECUTE FUNCTION disk_full()"
                )

    def __exit__(self, *_exception: object) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA max_page_count = 1073741823")
            else:
                cursor.execute("DROP FUNCTION disk_full CASCADE")


def test_only_one_of_several_live_sessions_is_polled(simulation: Simulation) -> None:
    session = simulation.schedule()
    later = Session.objects.create(title="Later", start_time=at(10), end_time=at(HOUR_S))
    Feed.objects.create(session=later, channel_id=201)

    simulation.tick(60)

    assert set(Poll.objects.values_list("feed__session", flat=True)) == {session.pk}
    [warning] = [event for event in simulation.events if event.priority == 4]
    assert f"Several sessions are live: session {session.pk} is polled" in warning.sentence

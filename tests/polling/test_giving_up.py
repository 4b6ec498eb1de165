"""A session is given up after a day of attempts that got no further, and for nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from messages_app.models import Session
from messages_app.polling.closing import close
from messages_app.scheduling import edit_session
from messages_app.windows import Coverage
from tests.builders import at as minute
from tests.builders import make_feed, make_session, span
from tests.simulation import Simulation

pytestmark = pytest.mark.simulation

LENGTH_S = 600
DAY_S = 86_400
DAY = timedelta(days=1)


def simulated(folder: Path, environ: dict[str, str], *channel_ids: int) -> Simulation:
    simulation = Simulation(folder / "replay", environ, LENGTH_S, channel_ids)
    for channel_id in channel_ids:
        for second in range(5, LENGTH_S, 50):
            simulation.channel(channel_id).post(second, f"at {second}")
    return simulation


def test_a_host_that_was_off_for_a_week_completes_what_it_missed(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = simulated(tmp_path, environ, 201, 202)
    back_s = 7 * DAY_S
    simulation.fault(back_s - 1, back_s + 1, "crash")
    session = simulation.schedule()
    for second in (300, back_s, back_s + 60):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def test_a_session_that_was_scheduled_for_last_month_is_completed(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = simulated(tmp_path, environ, 201)
    now_s = 30 * DAY_S
    simulation.fault(now_s - 1, now_s + 1, "crash")
    session = simulation.schedule()
    for second in (now_s, now_s + 60):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def test_channels_that_take_days_are_waited_for_as_long_as_one_gets_further(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    channel_ids = (201, 202, 203, 204)
    simulation = simulated(tmp_path, environ, *channel_ids)
    for number, channel_id in enumerate(channel_ids):
        simulation.fault(300, (number + 1) * DAY_S, "crash", channel=str(channel_id))
    session = simulation.schedule()
    # Each channel comes back a day after the one before, and each day has attempts enough.
    for number in range(4 * 30 + 1):
        simulation.tick(LENGTH_S + 60 + number * DAY_S / 30)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def tried(session: Session, *instants: datetime, progress: bool | None = False) -> bool:
    """Whether the session is given up after attempts at these instants."""
    for now in instants:
        close(session.pk, now, lambda _event: None, progress=progress)
    session.refresh_from_db()
    assert (session.closed_at is None) is not session.given_up
    return session.given_up


def every(step: timedelta, count: int) -> list[datetime]:
    return [minute(61) + number * step for number in range(count)]


def unswept() -> Session:
    session = make_session(0, 60)
    make_feed(session, span(0, 30))
    return session


@pytest.mark.parametrize(
    ("step", "attempts"),
    [(DAY / 200, 201), (DAY / 100, 101), (DAY / 99, 101), (DAY, 101), (30 * DAY, 101)],
)
def test_it_takes_a_day_and_a_hundred_attempts(
    environ: dict[str, str], step: timedelta, attempts: int
) -> None:
    session = unswept()
    *before, last = every(step, attempts)
    assert not tried(session, *before)
    assert tried(session, last)


def test_neither_a_clock_that_jumps_nor_one_that_is_set_back_gives_anything_up(
    environ: dict[str, str],
) -> None:
    session = unswept()
    assert not tried(session, *every(DAY / 200, 100))
    assert not tried(session, minute(0) + 365 * DAY, minute(61), minute(0) + 365 * DAY)


def test_a_clock_that_is_set_back_takes_nothing_of_the_day_away(environ: dict[str, str]) -> None:
    session = unswept()
    instants = every(DAY / 100, 51)
    assert not tried(session, *instants)
    assert not tried(session, *instants[:50])
    assert tried(session, instants[50])


def test_what_cannot_be_read_of_a_feed_is_an_attempt_and_is_given_up_in_the_end(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    simulation = simulated(tmp_path, environ, 201, 202)
    session = simulation.schedule()
    session.feeds.filter(channel_id=202).update(covered_windows="nonsense")
    for number in range(3):
        assert simulation.tick(LENGTH_S + 60 + number * DAY_S / 100).status == 1
        # As if all attempts of the day but one had been made.
        Session.objects.filter(closed_at=None, stalled_s__gt=0).update(stalled_s=DAY_S - 864)
        session.refresh_from_db()
    assert session.given_up
    assert "gaps of 600 s" in simulation.events[-1].sentence


def test_a_run_that_tried_nothing_counts_for_nothing(environ: dict[str, str]) -> None:
    session = unswept()
    assert not tried(session, *every(DAY / 100, 150), progress=None)


def test_what_gets_further_begins_the_day_anew(environ: dict[str, str]) -> None:
    session = unswept()
    instants = every(DAY / 100, 201)
    assert not tried(session, *instants[:100])
    assert not tried(session, instants[100], progress=True)
    assert not tried(session, *instants[101:200])
    assert tried(session, instants[200])


def test_a_session_that_is_edited_is_tried_for_another_day(environ: dict[str, str]) -> None:
    session = unswept()
    instants = every(DAY / 100, 102)
    assert not tried(session, *instants[:100])
    edit_session(session, "Race", span(0, 59), None)
    assert not tried(session, *instants[100:])

    Session.objects.update(stalled_s=DAY_S, closed_at=minute(70), given_up=True)
    edit_session(Session.objects.get(), "Race", span(0, 58), None)
    opened = Session.objects.get()
    assert (opened.closed_at, opened.given_up) == (None, False)
    assert (opened.stalled_s, opened.tried_at) == (None, None)


def test_what_is_done_is_closed_as_whole_however_long_it_took(environ: dict[str, str]) -> None:
    session = unswept()
    assert not tried(session, *every(DAY / 100, 100))
    whole = Coverage([session.window]).to_json()
    session.feeds.update(covered_windows=whole, swept_windows=whole)

    close(session.pk, minute(61) + 2 * DAY, lambda _event: None, progress=False)

    session.refresh_from_db()
    assert (session.closed_at, session.given_up) == (minute(61) + 2 * DAY, False)

"""A session that is edited while it is polled, read again or closed ends as it was edited."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from messages_app.models import Feed, Message, Session
from messages_app.polling.closing import close
from messages_app.polling.leases import Leases
from messages_app.scheduling import edit_session
from messages_app.windows import Coverage, Window
from tests.builders import at as minute
from tests.builders import make_feed, make_session, span
from tests.simulation import START, Simulation, at
from tests.test_admin import ADMIN, session_form

pytestmark = pytest.mark.simulation

# What a run does in sight of the clock: it begins, claims, looks for more, takes in, and closes.
LOOKS = 10


def played(folder: Path, environ: dict[str, str], until_s: int) -> Simulation:
    simulation = Simulation(folder, environ, until_s, (201,))
    for second in range(5, until_s, 10):
        simulation.channel(201).post(second, f"at {second}")
    return simulation


@pytest.mark.parametrize("look", range(LOOKS))
def test_extended_at_any_moment_of_its_closing_run(
    tmp_path: Path, environ: dict[str, str], look: int
) -> None:
    simulation = played(tmp_path / "replay", environ, 1200)
    session = simulation.schedule()
    edit_session(session, session.title, Window(START, at(600)), None)
    for second in (200, 400, 601):
        simulation.tick(second)

    def extend(n: int) -> None:
        if n == look:
            edited = Session.objects.get(pk=session.pk)
            edit_session(edited, edited.title, Window(START, at(1200)), None)

    simulation.meanwhile = extend
    simulation.tick(640, POLLER_MAX_SPAN="300")
    simulation.meanwhile = lambda _n: None
    extend(look)  # where the run did not look so often
    session.refresh_from_db()
    assert (session.end_time, session.closed_at) == (at(1200), None)
    assert session.feeds.get().swept == Coverage()
    for second in (900, 1201, 1240):
        simulation.tick(second)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def closable() -> tuple[Session, Feed]:
    """A session whose last poll before its closing is through, and its feed."""
    session = make_session(0, 60)
    feed = make_feed(session, span(0, 60), swept_windows=Coverage([span(0, 60)]).to_json())
    return session, feed


def test_what_is_closed_is_the_session_as_it_is_now(environ: dict[str, str]) -> None:
    session, _feed = closable()
    edit_session(Session.objects.get(pk=session.pk), "Race", span(0, 90), None)

    close(session.pk, minute(61), lambda _event: None, progress=None)

    assert Session.objects.get().closed_at is None


def test_what_is_not_covered_is_not_closed_though_it_was_swept(environ: dict[str, str]) -> None:
    session, feed = closable()
    Feed.objects.filter(pk=feed.pk).update(covered_windows=Coverage([span(0, 59)]).to_json())

    close(session.pk, minute(61), lambda _event: None, progress=None)

    assert Session.objects.get().closed_at is None


def test_a_session_that_is_live_is_not_closed_whatever_was_swept(environ: dict[str, str]) -> None:
    session, _feed = closable()

    close(session.pk, minute(59), lambda _event: None, progress=None)

    assert Session.objects.get().closed_at is None


def test_a_session_that_was_closed_since_it_was_looked_at_opens_when_it_is_extended(
    environ: dict[str, str],
) -> None:
    session, _feed = closable()
    looked_at = Session.objects.get(pk=session.pk)
    close(session.pk, minute(61), lambda _event: None, progress=None)
    assert Session.objects.get().closed_at

    edit_session(looked_at, "Race", span(0, 90), None)

    assert Session.objects.get().closed_at is None


def test_an_edit_is_one_of_what_the_session_is_now_and_not_of_what_was_looked_at(
    environ: dict[str, str],
) -> None:
    session, feed = closable()
    looked_at = Session.objects.get(pk=session.pk)
    Session.objects.filter(pk=session.pk).update(end_time=minute(90), closed_at=minute(91))
    whole = Coverage([span(0, 90)]).to_json()
    Feed.objects.filter(pk=feed.pk).update(covered_windows=whole, swept_windows=whole)

    edit_session(looked_at, "Race", span(0, 60), None)

    assert Session.objects.get().closed_at is None
    assert Feed.objects.get().swept == Coverage()


def beside(action: Callable[[], object]) -> threading.Thread:
    """Begin `action` on a connection of its own; return once it waits for a lock."""

    def work() -> None:
        try:
            action()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    give_up_at = time.monotonic() + 20
    waiting = (
        "SELECT count(*) FROM pg_locks"
        " WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    )
    with connection.cursor() as cursor:
        while cursor.execute(waiting) or not cursor.fetchone()[0]:
            assert thread.is_alive(), "it did not wait"
            assert time.monotonic() < give_up_at
    return thread


@pytest.mark.postgresql  # SQLite has one writer
def test_closing_waits_for_an_edit_and_judges_what_it_made(environ: dict[str, str]) -> None:
    session, _feed = closable()
    with transaction.atomic():
        edit_session(Session.objects.get(pk=session.pk), "Race", span(0, 90), None)
        closing = beside(lambda: close(session.pk, minute(61), lambda _event: None, progress=None))
    closing.join()
    assert Session.objects.get().closed_at is None


@pytest.mark.postgresql
def test_what_is_saved_in_the_admin_waits_for_a_closing_and_does_not_undo_it(
    environ: dict[str, str],
) -> None:
    session, feed = closable()
    admin = Client(HTTP_HOST="localhost")
    admin.force_login(User.objects.create_superuser("operator"))
    form = session_form(title="Regatta", start=minute(0), end=minute(60), feeds=[feed])
    with transaction.atomic():
        close(session.pk, minute(61), lambda _event: None, progress=None)
        saving = beside(lambda: admin.post(f"{ADMIN}/session/{session.pk}/change/", form))
    saving.join()
    session.refresh_from_db()
    assert (session.title, session.closed_at) == ("Regatta", minute(61))


@pytest.mark.postgresql
def test_an_export_is_taken_in_as_the_session_is_once_an_edit_is_through(
    environ: dict[str, str],
) -> None:
    session, feed = closable()
    leases = Leases("anna:1", 120)
    claimed = leases.claim(feed.pk, minute(61))
    assert claimed

    def confirm() -> None:
        with transaction.atomic():
            assert leases.confirm(claimed, minute(61))

    with transaction.atomic():
        edit_session(Session.objects.get(pk=session.pk), "Race", span(0, 90), None)
        taking_in = beside(confirm)
    taking_in.join()
    assert (claimed.session.end_time, claimed.swept) == (minute(90), Coverage())


def test_who_lost_a_feed_to_another_channel_stores_nothing(environ: dict[str, str]) -> None:
    _session, feed = closable()
    make_feed(make_session(100, 160), channel_id=202)
    leases = Leases("anna:1", 120)
    claimed = leases.claim(feed.pk, minute(61))
    assert claimed
    Feed.objects.filter(pk=feed.pk).update(channel_id=202)

    with transaction.atomic():
        assert not leases.confirm(claimed, minute(61))


@pytest.mark.parametrize("seed", range(12))
def test_edited_at_random_moments_of_its_life_it_ends_as_edited_and_lacks_nothing(
    tmp_path: Path, environ: dict[str, str], seed: int
) -> None:
    rng = random.Random(seed)
    simulation = Simulation(tmp_path / "replay", environ, 600, (201,))
    for second in range(-600, 1500, 10):
        edited_s, deleted_s = sorted(rng.randint(second, 1500) for _ in range(2))
        simulation.channel(201).post(
            second,
            f"at {second}",
            edits=[(edited_s, f"edited {second}")],
            deleted_at=deleted_s if rng.random() < 0.2 else None,
        )
    session = simulation.schedule()

    def edit(now_s: float) -> None:
        """Extend, shorten or move it, as an operator does who looks at it now."""
        edited = Session.objects.get(pk=session.pk)
        start, end = edited.window
        match rng.choice(["extend", "shorten", "move", "begin earlier"]):
            case "extend":
                end = at(now_s + rng.randint(1, 300))
            case "shorten":
                end = at(now_s - rng.randint(0, 200))
            case "move":
                by = timedelta(seconds=rng.randint(-200, 200))
                start, end = start + by, end + by
            case _:
                start -= timedelta(seconds=rng.randint(1, 200))
        window = Window(max(start, at(-600)), min(end, at(1300)))
        if window.start < window.end:
            edit_session(edited, edited.title, window, None)

    for tick_s in range(30, 1000, 75):
        # Most of what can go wrong goes wrong in the run that closes it.
        is_over = at(tick_s) >= Session.objects.get().end_time
        due = [rng.randrange(14)] if rng.random() < (0.6 if is_over else 0.2) else []

        def meanwhile(n: int, now_s: float = tick_s, due: list[int] = due) -> None:
            if due and n >= due[0]:
                due.clear()
                edit(now_s)

        simulation.meanwhile = meanwhile
        simulation.tick(tick_s, POLLER_MAX_SPAN="200")
        meanwhile(99)  # where the run did not look so often
    simulation.meanwhile = lambda _n: None
    as_edited = Session.objects.get().window
    for tick_s in (1400, 1430, 1460):
        simulation.tick(tick_s)

    session.refresh_from_db()
    assert session.window == as_edited
    closed_at = session.closed_at
    assert closed_at
    simulation.assert_closed_and_covered(session)
    assert session.feeds.get().swept.gaps(session.window) == []
    stored = Message.objects.shown().of_session(session)
    truth = {
        int(message["id"]): message["content"]
        for message in simulation.scenario.shown("201", closed_at)
        if datetime.fromisoformat(message["timestamp"]) in as_edited
    }
    assert dict(stored.values_list("discord_id", "content")) == truth

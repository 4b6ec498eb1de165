"""The verdict, the screen and the JSON of `status`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from django.utils import timezone

from messages_app.environment import CHECKOUT, Settings
from messages_app.exporter.choice import choice
from messages_app.models import Session
from messages_app.reporting.problems import LATE_S, STALE_S, problems_of, verdict_of
from messages_app.reporting.situation import Verdict, take_situation
from messages_app.reporting.status_json import broken_document, status_document
from messages_app.reporting.status_text import ASCII, UNICODE, Screen, bar, status_text
from messages_app.reporting.timer import TimerHealth, TimerState
from tests.builders import at, make_feed, make_poll, make_session, span
from tests.commands import Manage

WAITING = TimerHealth(TimerState.WAITING, at(30.5))
UNKNOWN = TimerHealth(TimerState.UNKNOWN)
EXPORTER = choice(Settings({"POLLER_EXPORTER": "/opt/exporter --token secret"}))

pytestmark = pytest.mark.django_db


def judged(minute: float = 30, timer: TimerHealth = UNKNOWN) -> tuple[Verdict, str]:
    """The verdict at that minute, and all problems in one text."""
    problems = problems_of(take_situation(at(minute), timer), [])
    return verdict_of(problems), "\n".join(problem.sentence for problem in problems)


def screen_at(minute: float = 30, timer: TimerHealth = UNKNOWN, width: int = 100) -> str:
    situation = take_situation(at(minute), timer)
    problems = problems_of(situation, [])
    screen = Screen(width, UNICODE)
    return status_text(situation, problems, verdict_of(problems), EXPORTER, screen)


def test_no_session_at_all_is_healthy() -> None:
    assert judged() == (Verdict.HEALTHY, "")


def test_a_fresh_live_session_is_healthy() -> None:
    make_feed(make_session(), span(0, 29.5))
    assert judged(timer=WAITING) == (Verdict.HEALTHY, "")


def test_a_feed_that_is_late_degrades() -> None:
    session = make_session()
    make_feed(session, span(0, 30 - (LATE_S + 1) / 60))
    make_feed(session, span(0, 29.5), channel_id=201)
    verdict, text = judged()
    assert verdict is Verdict.DEGRADED
    assert f"Channel #pits (200) of session {session.pk} is 2 min behind" in text


def test_a_session_of_which_nothing_is_fresh_is_broken() -> None:
    session = make_session()
    make_feed(session, span(0, 30 - (STALE_S + 1) / 60))
    make_feed(session, channel_id=201)
    verdict, text = judged()
    assert verdict is Verdict.BROKEN
    assert "Nothing new of session" in text


def test_a_gap_degrades_until_it_is_filled() -> None:
    feed = make_feed(make_session(), span(0, 10), span(15, 29.9))
    verdict, text = judged()
    assert verdict is Verdict.DEGRADED
    assert "lacks 5 min" in text
    feed.coverage = feed.coverage.add(span(10, 15))
    feed.save()
    assert judged() == (Verdict.HEALTHY, "")


def test_a_failing_feed_degrades_and_its_error_is_told() -> None:
    make_feed(
        make_session(),
        span(0, 29.5),
        failures=2,
        error_kind="exporter-failed",
        error="Discord forbids it.",
        next_attempt_at=at(31),
    )
    verdict, text = judged()
    assert verdict is Verdict.DEGRADED
    assert "failed 2 times in a row: Discord forbids it." in text


def test_a_refused_token_is_broken_at_once() -> None:
    make_feed(
        make_session(),
        span(0, 29.5),
        failures=1,
        error_kind="token-refused",
        error="Discord refused the token.",
    )
    assert judged() == (Verdict.BROKEN, "Discord refused the token.")


def test_a_live_session_without_channels_is_broken() -> None:
    make_session()
    verdict, text = judged()
    assert verdict is Verdict.BROKEN
    assert "has no channels" in text


def test_a_session_that_was_over_without_channels_is_not_forgotten() -> None:
    session = make_session()
    verdict, text = judged(61)
    assert verdict is Verdict.DEGRADED
    assert f"Session {session.pk} is over and has no channels: add them with" in text
    Session.objects.update(closed_at=at(24 * 60 + 60), given_up=True)
    assert "was given up and has no channels" in judged(3 * 24 * 60)[1]


def test_two_live_sessions_degrade() -> None:
    make_feed(make_session(), span(0, 29.5))
    make_feed(make_session(10, 90), channel_id=201)
    verdict, text = judged()
    assert verdict is Verdict.DEGRADED
    assert "is live too" in text


@pytest.mark.parametrize(
    ("state", "live", "verdict", "words"),
    [
        (TimerState.DEAD, False, Verdict.BROKEN, "will NEVER FIRE AGAIN"),
        (TimerState.STOPPED, False, Verdict.DEGRADED, "enabled but stopped"),
        (TimerState.STOPPED, True, Verdict.BROKEN, "enabled but stopped"),
        (TimerState.OFF, False, Verdict.HEALTHY, ""),
        (TimerState.OFF, True, Verdict.BROKEN, "is off although"),
        (TimerState.MISSING, False, Verdict.HEALTHY, ""),
        (TimerState.RUNNING, False, Verdict.HEALTHY, ""),
    ],
)
def test_the_timer_counts(state: TimerState, live: bool, verdict: Verdict, words: str) -> None:
    if live:
        make_feed(make_session(), span(0, 27))
    found, text = judged(timer=TimerHealth(state))
    assert found is verdict
    assert words in text


def test_a_timer_that_is_off_is_fine_while_another_host_polls() -> None:
    make_feed(make_session(), span(0, 29.5))
    assert judged(timer=TimerHealth(TimerState.OFF)) == (Verdict.HEALTHY, "")


@pytest.mark.parametrize(
    ("result", "status", "verdict"),
    [
        ("success", 0, Verdict.HEALTHY),
        ("exit-code", 69, Verdict.DEGRADED),
        ("exit-code", 78, Verdict.BROKEN),
        ("timeout", None, Verdict.DEGRADED),
    ],
)
def test_the_last_run_counts(result: str, status: int | None, verdict: Verdict) -> None:
    timer = TimerHealth(TimerState.WAITING, at(31), at(29), result, status)
    assert judged(timer=timer)[0] is verdict


def test_the_last_runs_own_words_are_told() -> None:
    timer = TimerHealth(TimerState.WAITING, at(31), at(29), "exit-code", 78, "No token.")
    assert (
        judged(timer=timer)[1] == "The last run of poller.service ended with status 78: No token."
    )


def test_closing_a_session_may_take_a_while_and_then_degrades() -> None:
    make_feed(make_session(), span(0, 60))
    assert judged(70)[0] is Verdict.HEALTHY
    verdict, text = judged(80)
    assert verdict is Verdict.DEGRADED
    assert "1 h 0 min of it is still to be read again" in text


def test_a_session_given_up_with_gaps_degrades_for_a_week() -> None:
    make_feed(make_session(given_up=True, closed_at=at(24 * 60 + 60)), span(0, 40))
    verdict, text = judged(3 * 24 * 60)
    assert verdict is Verdict.DEGRADED
    assert "given up with gaps of 20 min" in text
    assert judged(9 * 24 * 60) == (Verdict.HEALTHY, "")


def test_a_given_up_session_whose_gaps_were_imported_is_healthy() -> None:
    make_feed(make_session(given_up=True, closed_at=at(24 * 60 + 60)), span(0, 60))
    assert judged(3 * 24 * 60) == (Verdict.HEALTHY, "")


def test_the_bar_shows_what_is_covered_missing_and_to_come() -> None:
    make_feed(make_session(), span(0, 15), span(22.5, 45))
    situation = take_situation(at(45), UNKNOWN)
    assert bar(situation.sessions[0].feeds[0], at(45), ASCII, 8) == "[##-###..]"


def test_the_bar_hides_no_short_gap() -> None:
    make_feed(make_session(), span(0, 20), span(20.1, 60))
    situation = take_situation(at(60), UNKNOWN)
    assert "-" in bar(situation.sessions[0].feeds[0], at(60), ASCII, 8)


def test_the_screen_shows_sessions_feeds_polls_and_timer() -> None:
    session = make_session()
    make_session(120, 180, title="Prize-giving")
    feed = make_feed(session, span(0, 10), span(15, 29.9))
    make_poll(feed, 29, messages_read=3, messages_new=2, messages_unchanged=1)
    make_poll(feed, 28, succeeded=False, error_kind="time-limit")
    text = screen_at(timer=WAITING)
    assert text.startswith("discord-poller is DEGRADED  at 2026-05-01 18:30:00 UTC\n")
    assert f"Session {session.pk} «Race»: live, 30 min left" in text
    assert "#pits  [██" in text
    assert "83 %, 5 min missing, 6 s behind" in text
    assert "gap of 5 min: 2026-05-01 18:10:00 to 18:15:00 UTC" in text
    assert "«Prize-giving», starts in 1 h 30 min" in text
    assert "Timer: next poll in 30 s" in text
    assert "✓ 18:29:00 #pits  newest window, 3 read, 2 new" in text
    assert "✗ 18:28:00 #pits  newest window, FAILED: time-limit" in text


def test_the_screen_tells_which_exporter_is_used_and_nothing_that_may_be_secret() -> None:
    assert "Exporter: exporter, since POLLER_EXPORTER says so." in screen_at()
    assert "secret" not in screen_at()


@pytest.mark.parametrize(
    ("setting", "name"), [("builtin", "builtin"), ("'", "cannot be understood"), ("a/b c", "b")]
)
def test_an_exporter_has_a_name_however_it_is_set(setting: str, name: str) -> None:
    assert choice(Settings({"POLLER_EXPORTER": setting})).name.endswith(name)


def test_the_screen_keeps_to_the_terminals_width() -> None:
    session = make_session()
    feed = make_feed(session, span(0, 29.5), failures=1, error="Try again. " * 30)
    make_poll(feed, 29)
    assert max(map(len, screen_at(timer=WAITING, width=80).splitlines())) <= 80


def schema() -> jsonschema.Draft202012Validator:
    document = json.loads((Path(CHECKOUT) / "docs/status.schema.json").read_text())
    return jsonschema.Draft202012Validator(document)


def test_the_json_follows_its_schema() -> None:
    feed = make_feed(make_session(), span(0, 10), span(15, 29.9), next_attempt_at=at(31))
    make_session(120, 180)
    make_poll(feed, 29)
    make_poll(None, 28)
    situation = take_situation(at(30), WAITING)
    problems = problems_of(situation, [])
    document = status_document(situation, problems, verdict_of(problems), EXPORTER)
    schema().validate(json.loads(json.dumps(document)))
    assert document["verdict"] == "degraded"
    assert document["sessions"][0]["feeds"][0]["gap_s"] == 300


def test_the_json_without_a_database_follows_the_schema_too() -> None:
    schema().validate(broken_document(at(0), "The database cannot be reached."))


def test_every_key_of_the_json_is_described_in_the_schema() -> None:
    make_poll(make_feed(make_session(), span(0, 10), span(15, 20)), 29)
    make_session(120, 180)
    situation = take_situation(at(30), WAITING)
    document = status_document(situation, problems_of(situation, []), Verdict.DEGRADED, EXPORTER)
    described = json.loads((Path(CHECKOUT) / "docs/status.schema.json").read_text())
    undescribed = [key for key in _keys(document) if f'"{key}": {{' not in json.dumps(described)]
    assert undescribed == []


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys, value.values()))
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    return set()


@pytest.mark.django_db(transaction=True)
def test_the_command_exits_with_the_verdict(manage: Manage) -> None:
    assert "HEALTHY" in manage("status", status=0)
    now = timezone.now()
    session = make_session(start_time=now - timedelta(hours=1), end_time=now + timedelta(hours=1))
    assert "BROKEN" in manage("status", status=2)
    make_feed(session)
    manage("poll_recent_messages", status=69, REPLAY_FAULT="forbidden")
    manage_json = json.loads(manage("status", "--json", status=2))
    assert manage_json["verdict"] == "broken"
    manage("poll_recent_messages", "--now")
    assert json.loads(manage("status", "--json"))["verdict"] == "healthy"


@pytest.mark.django_db(transaction=True)
def test_the_command_calls_an_unmigrated_database_broken(manage: Manage, tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path}/none.sqlite3"
    assert "BROKEN: The database is not migrated" in manage(
        "status", status=2, DATABASE_URL=nowhere
    )
    document = json.loads(manage("status", "--json", status=2, DATABASE_URL=nowhere))
    assert document["verdict"] == "broken"


@pytest.mark.django_db(transaction=True)
def test_the_command_survives_a_terminal_without_unicode(manage: Manage) -> None:
    now = timezone.now()
    session = make_session(start_time=now - timedelta(minutes=1), end_time=now + timedelta(hours=1))
    make_feed(session, name="гараж")
    output = manage("status", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", LC_ALL="C")
    assert "[" in output
    assert output.isascii()

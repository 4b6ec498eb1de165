"""Pruning: what goes, what stays, and what is kept of what goes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session as WebSession
from django.utils import timezone

from messages_app.database.poll_totals import all_totals
from messages_app.environment import Settings
from messages_app.models import Channel, Message, Poll, Revision
from messages_app.polling import pruning
from tests.builders import at, make_feed, make_poll, make_session
from tests.commands import Manage

pytestmark = pytest.mark.django_db

DAY = 24 * 60


def settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings({"POLLER_STATE_DIR": str(tmp_path), **environ})


def make_message(number: int, minute: float) -> Message:
    channel, _ = Channel.objects.get_or_create(pk=200)
    message = Message.objects.create(
        discord_id=number,
        channel=channel,
        type="Default",
        timestamp=at(minute),
        author_name="Ana",
        content="hello",
        has_attachments=False,
        fingerprint=number,
        changed_at=at(minute),
        raw="{}",
    )
    Revision.objects.create(message=message, content="helo", replaced_at=at(minute))
    return message


def test_old_polls_go_and_go_on_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH_SIZE", 2)
    feed = make_feed(make_session())
    for minute in range(5):
        make_poll(feed, minute, messages_new=3)
    kept = make_poll(feed, 100 * DAY - 1)
    before = all_totals()
    now = at(100 * DAY)
    assert pruning.old_polls(settings(tmp_path), now) == 5
    assert pruning.prune_polls(settings(tmp_path), now) == 5
    assert list(Poll.objects.all()) == [kept]
    assert all_totals() == before
    assert pruning.prune_polls(settings(tmp_path), now) == 0


def test_polls_are_kept_for_as_long_as_the_setting_says(tmp_path: Path) -> None:
    make_poll(None)
    keep = settings(tmp_path, POLLER_KEEP_POLLS="3")
    assert pruning.prune_polls(keep, at(3 * DAY)) == 0
    assert pruning.prune_polls(keep, at(3 * DAY + 1)) == 1


def test_messages_stay_for_ever_unless_asked_for(tmp_path: Path) -> None:
    make_message(1, 0)
    assert pruning.old_messages(settings(tmp_path), at(10_000 * DAY)) == 0
    assert pruning.prune_messages(settings(tmp_path), at(10_000 * DAY)) == 0
    assert Message.objects.exists()


def test_old_messages_go_with_their_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH_SIZE", 2)
    for number in range(1, 6):
        make_message(number, number)
    kept = make_message(6, 10 * DAY)
    keep = settings(tmp_path, POLLER_KEEP_MESSAGES="7")
    assert pruning.old_messages(keep, at(11 * DAY)) == 5
    assert pruning.prune_messages(keep, at(11 * DAY)) == 5
    assert list(Message.objects.all()) == [kept]
    assert Revision.objects.count() == 1


def test_messages_of_a_session_that_is_not_closed_stay(tmp_path: Path) -> None:
    session = make_session(0, 60)
    make_message(1, -5)
    make_message(2, 5)
    keep = settings(tmp_path, POLLER_KEEP_MESSAGES="1")
    assert pruning.prune_messages(keep, at(10 * DAY)) == 1
    session.closed_at = at(61)
    session.save()
    assert pruning.prune_messages(keep, at(10 * DAY)) == 1


def test_what_a_killed_run_left_goes_and_its_leases_end(tmp_path: Path) -> None:
    feed = make_feed(make_session(), lease_holder="here:1:dead", lease_until=at(5))
    left = tmp_path / "runs/here:1:dead"
    left.mkdir(parents=True)
    (left / "1-200.json").write_text("{")
    assert pruning.prune_dead_runs(settings(tmp_path)) == 1
    assert not left.exists()
    feed.refresh_from_db()
    assert feed.lease_until is None


@pytest.mark.django_db(transaction=True)
def test_the_command_tells_what_it_did(manage: Manage) -> None:
    make_poll(None, started_at=timezone.now() - timedelta(days=91))
    make_poll(None, started_at=timezone.now() - timedelta(days=89))
    message = make_message(1, 0)
    WebSession.objects.create(session_key="a", expire_date=timezone.now() - timedelta(days=1))
    sentence = "1 record of polls older than 90 days, no messages"
    assert f"Would remove {sentence}" in manage("prune", "--dry-run")
    assert f"Removed {sentence}" in manage("prune")
    assert Message.objects.get() == message
    assert not WebSession.objects.exists()
    output = manage("prune", POLLER_KEEP_MESSAGES="1", POLLER_KEEP_POLLS="1")
    assert output == "Removed 1 record of polls older than 1 day, 1 message older than 1 day.\n"

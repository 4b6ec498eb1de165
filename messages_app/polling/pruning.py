"""Removes what is old: records of polls, what dead runs left, and messages where that is asked for.

Everything goes in small batches, so that polls never wait for long.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from messages_app.database.poll_totals import fold_in
from messages_app.environment import Settings
from messages_app.models import Message, Poll, Session
from messages_app.polling.leases import release_dead
from messages_app.polling.run_folder import Run

# How many rows one transaction removes: some tens of milliseconds.
BATCH_SIZE = 500


def old_polls(settings: Settings, now: datetime) -> int:
    """How many polls are older than POLLER_KEEP_POLLS."""
    return Poll.objects.filter(started_at__lt=_ago(now, settings.keep_polls_days)).count()


def old_messages(settings: Settings, now: datetime) -> int:
    """How many messages are older than POLLER_KEEP_MESSAGES; 0 where they are kept for ever."""
    if settings.keep_messages_days is None:
        return 0
    before = _message_limit(now, settings.keep_messages_days)
    return Message.objects.filter(timestamp__lt=before).count()


def prune_polls(settings: Settings, now: datetime) -> int:
    """Remove the records of old polls; what they add up to is kept. Return how many."""
    old = Poll.objects.filter(started_at__lt=_ago(now, settings.keep_polls_days)).order_by("pk")
    removed = 0
    while ids := list(old.values_list("pk", flat=True)[:BATCH_SIZE]):
        with transaction.atomic():
            removed += fold_in(Poll.objects.filter(pk__in=ids))
    return removed


def prune_messages(settings: Settings, now: datetime) -> int:
    """Remove old messages with their revisions, where POLLER_KEEP_MESSAGES asks for it."""
    if settings.keep_messages_days is None:
        return 0
    before = _message_limit(now, settings.keep_messages_days)
    old = Message.objects.filter(timestamp__lt=before).in_time_order()
    removed = 0
    while ids := list(old.values_list("pk", flat=True)[:BATCH_SIZE]):
        with transaction.atomic():
            _, by_model = Message.objects.filter(pk__in=ids).delete()
        removed += by_model[Message._meta.label]
    return removed


def prune_dead_runs(settings: Settings) -> int:
    """Remove the files that killed runs of this host left; return of how many runs."""
    with Run.of(settings) as run:
        return release_dead(run)


def _message_limit(now: datetime, days: int) -> datetime:
    """The instant before which messages go: never within a session that is not closed yet."""
    limit = _ago(now, days)
    unclosed = Session.objects.filter(closed_at=None).order_by("start_time").first()
    return min(limit, unclosed.start_time) if unclosed else limit


def _ago(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)

"""Messages that the exporter cannot parse: what is stored of them, and what an export tells.

What to read next, and what follows from it, is decided in detour.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from messages_app.errors import ExporterCrashed, PollerError
from messages_app.events import Event, obstacle_found, obstacle_overcome
from messages_app.models import Feed, Message, Obstacle, Poll, Session
from messages_app.polling import detour
from messages_app.polling.detour import Detour
from messages_app.polling.feed_progress import first_unproved
from messages_app.windows import Window


def detour_of(row: Obstacle) -> Detour:
    """What is known of it."""
    return Detour(
        row.words,
        row.low,
        row.high,
        row.end,
        row.back,
        row.reach,
        row.left,
        row.anchor,
        row.retry_at,
    )


def detours_of(feed: Feed) -> dict[int, Detour]:
    """What is in a feed's way, by the number of its row."""
    rows = sorted(feed.obstacles.all(), key=lambda row: row.pk)
    return {row.pk: detour_of(row) for row in rows}


def next_window(feed: Feed, known: Detour, now: datetime, trailing_s: float) -> Window | None:
    """What to read of the feed because of what is in its way."""
    return detour.next_window(known, now, trailing_s, _stored_before(feed, known))


def note_success(feed: Feed, row_id: int | None, window: Window, now: datetime) -> list[Event]:
    """The export of `window` succeeded: take down what it tells, and return what to tell of it.

    `row_id` is the obstacle for which it was read, None for any other window.
    """
    events = []
    for row in feed.obstacles.all():
        known = detour_of(row)
        if row.pk != row_id and not known.gap:
            continue
        after = detour.after_success(known, window, now)
        if after is None:
            row.delete()
            events += [obstacle_overcome(row)] if known.gap else []
        elif after != known:
            events += _keep(row, after, now)
    return events


def note_failure(
    feed: Feed, row_id: int | None, window: Window, failure: PollerError, new: int, now: datetime
) -> tuple[bool, list[Event]]:
    """The export of `window` failed and stored `new` messages: take down what it tells.

    Return whether it was read to find out just that, and what to tell of it.
    """
    if not isinstance(failure, ExporterCrashed):
        return False, []
    if row_id is None:
        if _is_repeated(feed, failure) and not feed.obstacles.filter(left=None).exists():
            span = feed.session.window
            low = min(window.start, feed.coverage.covered_until(span))
            Obstacle.objects.create(
                feed=feed, found_at=now, **asdict(detour.found(low, failure.words))
            )
        return False, []
    row = Obstacle.objects.get(pk=row_id)
    known = detour_of(row)
    stored_count = len(_stored_before(feed, known))
    after = detour.after_failure(known, window, new, stored_count, now)
    return known.high is not None, _keep(row, after, now)


def retry_all(now: datetime) -> int:
    """Have what the exporter could not parse read again at the next poll; return how much it is."""
    return Obstacle.objects.exclude(left=None).update(retry_at=now)


def regain(session: Session) -> None:
    """A session that was given up is so no longer once its last gap is filled and proved."""
    if Obstacle.objects.filter(feed__session=session).exists():
        return
    feeds = session.feeds.all()
    # What has no channels lacks everything.
    is_whole = feeds and not any(
        feed.coverage.gaps(session.window) or first_unproved(feed) for feed in feeds
    )
    if session.given_up and is_whole:
        start, end = session.window
        seen = Session.objects.filter(pk=session.pk, start_time=start, end_time=end)
        seen.update(given_up=False)


def _keep(row: Obstacle, known: Detour, now: datetime) -> list[Event]:
    """Store what is known; tell it where it has come to an end."""
    feed = row.feed
    if detour.is_exhausted(known, _stored_before(feed, known)):
        known = detour.settled(known, feed.coverage.covered_until(feed.session.window), now)
    is_new = known.gap is not None and row.left is None
    if is_new:
        known = _without_twins(row, known)
    for name, value in asdict(known).items():
        setattr(row, name, value)
    row.save()
    return [obstacle_found(row)] if is_new else []


def _without_twins(row: Obstacle, known: Detour) -> Detour:
    """An obstacle that was found before, and was not passed on its left: it is one from now on."""
    twins = Obstacle.objects.filter(feed=row.feed, high=known.high).exclude(pk=row.pk)
    if not twins.exists():
        return known
    twins.delete()
    span = row.feed.session.window
    return detour.settled(known, row.feed.coverage.covered_until(span), row.found_at)


def _is_repeated(feed: Feed, failure: PollerError) -> bool:
    """Whether the last polls of the feed, this one included, failed with these words."""
    before = detour.CRASHES - 1
    latest: Iterable[Poll] = feed.polls.latest_first()[:before]
    return [poll.error for poll in latest] == [str(failure)] * before


def _stored_before(feed: Feed, known: Detour) -> list[datetime]:
    """The times of the newest stored messages before it, the newest first."""
    if not known.is_located or known.gap:
        return []
    stored = Message.objects.shown().filter(channel_id=feed.channel_id, timestamp__lt=known.low)
    return list(
        stored.order_by("-timestamp", "-discord_id").values_list("timestamp", flat=True)[
            : detour.PAGE
        ]
    )

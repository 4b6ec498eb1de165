"""How a session is, for a person who watches it: its state in words, its feeds, how fresh it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import OuterRef, Q, Subquery

from messages_app.models import Feed, Phase, Poll, Session
from messages_app.reporting.feeds import FeedState
from messages_app.reporting.sessions import duration, session_state
from messages_app.snowflakes import LARGEST_ID
from messages_app.windows import PERIOD_S, Coverage, Window

PERIOD = timedelta(seconds=PERIOD_S)
# Three polls that did not come, and what the third may take: a live page says so.
STALE_AFTER = 3 * PERIOD + timedelta(seconds=5)
# What a page that was left open for days may ask about.
MOST_FEEDS, MOST_POLLS = 200, 2000
# By hand, since building it by the ORM took longer than all the rest of "nothing new".
_VERSION_QUERY = """
    SELECT feed.id, (
        SELECT poll.id FROM messages_app_poll poll WHERE poll.feed_id = feed.id
        ORDER BY poll.started_at DESC, poll.id DESC LIMIT 1
    ), feed.failures
    FROM messages_app_feed feed WHERE feed.session_id = %s
"""
_VERSION_PART = re.compile(r"(\d{1,18})-(\d{1,18})-\d{1,18}", re.ASCII)


@dataclass(frozen=True)
class WatchedFeed:
    """One channel of a session; `gaps` are the holes before the last covered instant."""

    feed: Feed
    gaps: Sequence[Window]
    covered: Coverage
    last_poll: Poll | None

    @property
    def name(self) -> str:
        return str(self.feed.channel)

    @property
    def last_polled_at(self) -> datetime | None:
        poll = self.last_poll
        return poll.started_at + timedelta(milliseconds=poll.duration_ms) if poll else None


@dataclass(frozen=True)
class Freshness:
    """When the session was last polled, when it will be, and what is wrong if anything is.

    `level` is one of idle, fresh, waiting, stale, failing; `trouble` is a sentence or empty.
    """

    level: str
    last: datetime | None
    next: datetime | None
    trouble: str


@dataclass(frozen=True)
class WatchedSession:
    """A session at an instant; `elapsed` is how much of its time has passed, 0 to 1."""

    session: Session
    phase: Phase
    words: str
    gap_words: str
    gaps: Sequence[Window]
    feeds: Sequence[WatchedFeed]
    freshness: Freshness
    version: str
    elapsed: float

    @property
    def is_live(self) -> bool:
        return self.phase is Phase.LIVE


def states(sessions: Sequence[Session], now: datetime) -> list[WatchedSession]:
    """The state of each session, in three queries however many they are."""
    feeds = list(_feeds_of(session.pk for session in sessions))
    last_polls = Poll.objects.in_bulk(
        [poll_id for feed in feeds if (poll_id := _last_poll_of(feed))]
    )
    return [
        _state(session, [feed for feed in feeds if feed.session_id == session.pk], last_polls, now)
        for session in sessions
    ]


def version_of(session_id: int) -> str:
    """What changes whenever a poll of the session ends: one query, all that "nothing new" costs."""
    with connection.cursor() as cursor:
        cursor.execute(_VERSION_QUERY, [min(session_id, LARGEST_ID)])
        return _version(cursor.fetchall())


def polls_since(version: str) -> list[Poll]:
    """The polls that ended after `version` was current, of the feeds that it names."""
    known = [match for part in version.split(".") if (match := _VERSION_PART.fullmatch(part))]
    later = Q()
    for match in known[:MOST_FEEDS]:
        later |= Q(feed=int(match[1]), id__gt=int(match[2]))
    return list(Poll.objects.filter(later)[:MOST_POLLS]) if later else []


def exact_duration(delta: timedelta) -> str:
    """A duration to the second, for gaps: 40 s, 3 min, 3 min 20 s."""
    seconds = max(int(delta.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600 and seconds % 60:
        return f"{seconds // 60} min {seconds % 60} s"
    return duration(delta)


def _feeds_of(session_ids: Iterable[int]) -> Iterable[Feed]:
    return (
        Feed.objects.filter(session__in=list(session_ids))
        .select_related("channel")
        .annotate(last_poll_id=_last_poll_id())
        .in_shown_order()
    )


def _last_poll_id() -> Subquery:
    # The newest by time, since the index on feed and time finds it with one step.
    newest = Poll.objects.filter(feed=OuterRef("pk")).order_by("-started_at", "-id")
    return Subquery(newest.values("id")[:1])


def _last_poll_of(feed: Feed) -> int | None:
    """What `_feeds_of` has annotated the feed with."""
    poll_id: int | None = vars(feed)["last_poll_id"]
    return poll_id


def _version(rows: Iterable[tuple[int, int | None, int]]) -> str:
    """The version that feeds, their last polls and failures make, in whatever order they come."""
    return ".".join(f"{feed}-{poll or 0}-{failures}" for feed, poll, failures in sorted(rows))


def _state(
    session: Session, feeds: Sequence[Feed], last_polls: Mapping[int, Poll], now: datetime
) -> WatchedSession:
    told = [_feed_state(feed, session, last_polls, now) for feed in feeds]
    gaps = Coverage(gap for feed in told for gap in feed.gaps)
    missing = sum((gap.end - gap.start for gap in gaps.windows), timedelta())
    length = session.end_time - session.start_time
    return WatchedSession(
        session=session,
        phase=session.phase(now),
        words=session_state(session, now, has_channels=bool(feeds)),
        gap_words=f"gap of {exact_duration(missing)}" if missing else "",
        gaps=gaps.windows,
        feeds=told,
        freshness=_freshness(session, told, now),
        version=_version((feed.pk, _last_poll_of(feed), feed.failures) for feed in feeds),
        elapsed=min(max((now - session.start_time) / length, 0.0), 1.0),
    )


def _feed_state(
    feed: Feed, session: Session, last_polls: Mapping[int, Poll], now: datetime
) -> WatchedFeed:
    told = FeedState.of(feed, session, now)
    return WatchedFeed(feed, told.gaps, told.coverage, last_polls.get(_last_poll_of(feed) or 0))


def _freshness(session: Session, feeds: Sequence[WatchedFeed], now: datetime) -> Freshness:
    if session.phase(now) not in (Phase.LIVE, Phase.OVER):
        return Freshness("idle", None, None, "")
    polled = [at for feed in feeds if (at := feed.last_polled_at)]
    started = [feed.last_poll.started_at for feed in feeds if feed.last_poll]
    last = max(polled, default=None)
    upcoming = max(started) + PERIOD if started else None
    failing = [feed for feed in feeds if feed.feed.failures]
    if failing:
        worst = max(failing, key=lambda feed: feed.feed.failures)
        # What the exporter said of it is on the page of the health, for those who run it.
        trouble = f"{worst.name} cannot be read at the moment."
        return Freshness("failing", last, worst.feed.next_attempt_at or upcoming, trouble)
    if last is None:
        trouble = "" if now - session.start_time < STALE_AFTER else "It was never polled."
        return Freshness("stale" if trouble else "waiting", None, None, trouble)
    if now - last > STALE_AFTER and now < session.end_time:
        trouble = f"No poll for {duration(now - last)}: is poller.timer running?"
        return Freshness("stale", last, None, trouble)
    return Freshness("fresh", last, upcoming, "")

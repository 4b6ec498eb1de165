"""How a session is, for a person who watches it: its state in words, its feeds, how fresh it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import OuterRef, Q, Subquery

from messages_app.environment import SNOWFLAKE_MAX
from messages_app.models import Feed, Poll, Session
from messages_app.reporting import feeds as reported
from messages_app.reporting.sessions import duration, session_state
from messages_app.windows import Coverage, Window

# How often the timer polls, and after how long without a good poll a live page says so.
TICK = timedelta(seconds=30)
STALE_AFTER = timedelta(seconds=95)
# What a page that was left open for days may ask about.
MOST_FEEDS, MOST_POLLS = 200, 2000
# By hand, since building it by the ORM took longer than all the rest of "nothing new".
_VERSION_QUERY = """
    SELECT feed.id, (
        SELECT poll.id FROM messages_app_poll poll WHERE poll.feed_id = feed.id
        ORDER BY poll.started_at DESC, poll.id DESC LIMIT 1
    ), feed.failures
    FROM messages_app_feed feed WHERE feed.session_id = %s ORDER BY feed.id
"""
_VERSION_PART = re.compile(r"(\d{1,18})-(\d{1,18})-\d{1,18}", re.ASCII)


@dataclass(frozen=True)
class FeedState:
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
class SessionState:
    """`kind` is one of live, coming, over, closed, given-up."""

    session: Session
    kind: str
    words: str
    gap_words: str
    gaps: Sequence[Window]
    feeds: Sequence[FeedState]
    freshness: Freshness
    version: str
    elapsed: float

    @property
    def is_live(self) -> bool:
        return self.kind == "live"


def states(sessions: Sequence[Session], now: datetime) -> list[SessionState]:
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
        cursor.execute(_VERSION_QUERY, [min(session_id, SNOWFLAKE_MAX)])
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
        .order_by("id")
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
    return ".".join(f"{feed}-{poll or 0}-{failures}" for feed, poll, failures in rows)


def _state(
    session: Session, feeds: Sequence[Feed], last_polls: Mapping[int, Poll], now: datetime
) -> SessionState:
    told = [_feed_state(feed, session, last_polls, now) for feed in feeds]
    gaps = Coverage(gap for feed in told for gap in feed.gaps)
    missing = sum((gap.end - gap.start for gap in gaps.windows), timedelta())
    length = session.end_time - session.start_time
    return SessionState(
        session=session,
        kind=_kind(session, now),
        words=session_state(session, now),
        gap_words=f"gap of {exact_duration(missing)}" if missing else "",
        gaps=gaps.windows,
        feeds=told,
        freshness=_freshness(session, told, now),
        version=_version((feed.pk, _last_poll_of(feed), feed.failures) for feed in feeds),
        elapsed=min(max((now - session.start_time) / length, 0.0), 1.0),
    )


def _kind(session: Session, now: datetime) -> str:
    if session.closed_at:
        return "given-up" if session.given_up else "closed"
    if now < session.start_time:
        return "coming"
    return "live" if now < session.end_time else "over"


def _feed_state(
    feed: Feed, session: Session, last_polls: Mapping[int, Poll], now: datetime
) -> FeedState:
    told = reported.FeedState.of(feed, session, now)
    return FeedState(feed, told.gaps, told.coverage, last_polls.get(_last_poll_of(feed) or 0))


def _freshness(session: Session, feeds: Sequence[FeedState], now: datetime) -> Freshness:
    if session.closed_at or now < session.start_time:
        return Freshness("idle", None, None, "")
    polled = [at for feed in feeds if (at := feed.last_polled_at)]
    started = [feed.last_poll.started_at for feed in feeds if feed.last_poll]
    last = max(polled, default=None)
    upcoming = max(started) + TICK if started else None
    failing = [feed for feed in feeds if feed.feed.failures]
    if failing:
        worst = max(failing, key=lambda feed: feed.feed.failures)
        times = "once" if worst.feed.failures == 1 else f"{worst.feed.failures} times in a row"
        trouble = f"{worst.name} failed {times}: {worst.feed.error}"
        return Freshness("failing", last, worst.feed.next_attempt_at or upcoming, trouble)
    if last is None:
        trouble = "" if now - session.start_time < STALE_AFTER else "It was never polled."
        return Freshness("stale" if trouble else "waiting", None, None, trouble)
    if now - last > STALE_AFTER and now < session.end_time:
        trouble = f"No poll for {duration(now - last)}: is poller.timer running?"
        return Freshness("stale", last, None, trouble)
    return Freshness("fresh", last, upcoming, "")

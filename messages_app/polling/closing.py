"""Closes a session that is over: once all of it was read again, or it is given up.

It is given up after a day of attempts that got no further. Between two of them counts for no more
than a hundredth of that day, so that neither a clock that jumps nor a host that was off gives
anything up.

What is judged is read under a lock on the session, so that an edit of its times comes before it or
after it, and never in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from messages_app.database.bounded import bounded_transaction
from messages_app.errors import Unproved
from messages_app.events import (
    Event,
    Report,
    session_closed,
    session_closed_around,
    session_given_up,
    session_unproved,
    session_without_channels,
)
from messages_app.models import CLOSING_FIELDS, Session
from messages_app.polling.detour import blocked
from messages_app.polling.obstacles import detours_of
from messages_app.windows import Window

# A session is given up after attempts for so long that got no further, and one without channels so
# long after its end.
GIVE_UP_AFTER = timedelta(days=1)
LEAST_ATTEMPTS = 100


def close(session_id: int, now: datetime, report: Report, *, progress: bool | None) -> None:
    """Close a session that was read again to its end, or give it up.

    `progress` is whether the attempts that this run made on it got any further, None where it made
    none.
    """
    with bounded_transaction():
        session = Session.objects.locked(session_id)
        # Gone, closed by another host, or extended meanwhile.
        if session is None or session.closed_at or now < session.end_time:
            return
        state = _state_of(session)
        if progress is not None:
            session.stalled_s = 0 if progress else stalled_s(session, now)
            session.tried_at = now
        is_over = state.is_done or _is_to_be_given_up(session, state, now)
        if is_over:
            session.closed_at, session.given_up = now, not state.is_whole
        session.save(update_fields=CLOSING_FIELDS)
    if is_over:
        report(_told(session, state))


def stalled_s(session: Session, now: datetime) -> float:
    """For how long the session was tried without progress, after one more attempt at `now`."""
    since = now - session.tried_at if session.tried_at else timedelta(0)
    counted = min(max(since, timedelta(0)), GIVE_UP_AFTER / LEAST_ATTEMPTS)
    return (session.stalled_s or 0) + counted.total_seconds()


def _is_to_be_given_up(session: Session, state: _State, now: datetime) -> bool:
    if not state.has_feeds:
        return now >= session.end_time + GIVE_UP_AFTER
    return (session.stalled_s or 0) >= GIVE_UP_AFTER.total_seconds()


class _State(NamedTuple):
    """What is left of a session: not read again, not read at all, and what no exporter reads.

    `unproved` are the channels of which nothing proves that they may be read.
    """

    has_feeds: bool
    is_searching: bool
    unswept: list[Window]
    unread: list[Window]
    left_out: list[Window]
    unproved: list[int]

    @property
    def is_done(self) -> bool:
        """Whether nothing is left that could be read."""
        return self.has_feeds and not (self.is_searching or self.unswept)

    @property
    def is_whole(self) -> bool:
        return self.is_done and not self.left_out


def _state_of(session: Session) -> _State:
    span = session.window
    has_feeds = is_searching = False
    unswept, unread, left_out, unproved = [], [], [], []
    for feed in session.feeds.all():
        has_feeds = True
        known = detours_of(feed).values()
        is_searching = is_searching or any(not each.gap for each in known)
        left_out += [each.gap for each in known if each.gap]
        unproved += [feed.channel_id] if feed.error_kind == Unproved.kind else []
        try:
            unswept += feed.swept.plus(blocked(known, span, sweep=True)).gaps(span)
            unread += feed.coverage.gaps(span)
        except (ValueError, TypeError):  # what is noted cannot be read, and was told
            unswept.append(span)
            unread.append(span)
    return _State(has_feeds, is_searching, unswept, unread, left_out, unproved)


def _told(session: Session, state: _State) -> Event:
    if not state.has_feeds:
        return session_without_channels(session)
    if state.is_whole:
        return session_closed(session)
    if state.is_done:
        return session_closed_around(session, sum(gap.seconds for gap in state.left_out))
    if state.unproved:
        return session_unproved(session, state.unproved)
    return session_given_up(session, sum(gap.seconds for gap in state.unread))

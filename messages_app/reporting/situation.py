"""How it is: the sessions, their feeds, the last polls, the timer, and the verdict on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from messages_app.database.filling import progress
from messages_app.errors import Unproved
from messages_app.models import Filling, Phase, Poll, Session
from messages_app.reporting.feeds import FeedState, feed_states
from messages_app.reporting.timer import TimerHealth, read_timer

# For how long a session that was given up is still reported.
REMEMBERED = timedelta(days=7)
# How many polls are shown.
POLLS_SHOWN = 8


class Verdict(IntEnum):
    """The sum of it; the values are the exit statuses of `status`."""

    HEALTHY = 0
    DEGRADED = 1
    BROKEN = 2


@dataclass(frozen=True)
class Problem:
    """What is wrong and what to do about it, in one sentence."""

    severity: Verdict
    sentence: str


@dataclass(frozen=True)
class SessionState:
    """A session and its feeds at an instant."""

    session: Session
    phase: Phase
    feeds: Sequence[FeedState]


@dataclass(frozen=True)
class Situation:
    """Everything that `status` tells. `sessions` are the live, closing and given-up ones.

    `filling` is how far stored messages are prepared, None where all are.
    """

    now: datetime
    sessions: Sequence[SessionState]
    coming: Session | None
    polls: Sequence[Poll]
    timer: TimerHealth
    filling: Filling | None = None

    @property
    def live(self) -> SessionState | None:
        """The session that is polled now."""
        return next((each for each in self.sessions if each.phase is Phase.LIVE), None)

    @property
    def backlog_s(self) -> float:
        """Seconds of session time that are still to be read."""
        feeds = [feed for each in self.sessions for feed in each.feeds]
        return sum(max(feed.gap_s + feed.lag_s, feed.unswept_s) for feed in feeds)


def take_situation(now: datetime, timer: TimerHealth | None = None) -> Situation:
    """Look at database and timer at `now`; raise Django's database errors."""
    given_up = Session.objects.filter(
        given_up=True, closed_at__gt=now - REMEMBERED, end_time__lte=now
    )
    found = [
        *Session.objects.live(now),
        *Session.objects.to_close(now),
        *given_up.order_by("end_time", "id"),
    ]
    states = [
        SessionState(session, session.phase(now), feed_states(session, now)) for session in found
    ]
    return Situation(
        now=now,
        # One that was given up counts no more once an import by hand has filled its gaps; one that
        # has no channels lacks everything.
        sessions=[
            each
            for each in states
            if each.phase is not Phase.GIVEN_UP
            or not each.feeds
            or any(feed.gaps or feed.error_kind == Unproved.kind for feed in each.feeds)
        ],
        coming=Session.objects.coming(now).first(),
        polls=list(Poll.objects.latest_first().select_related("channel", "feed")[:POLLS_SHOWN]),
        timer=timer or read_timer(now, time.monotonic()),
        filling=progress(),
    )

"""How it is: the sessions, their feeds, the last polls, the timer, and the verdict on them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from messages_app.models import Poll, Session
from messages_app.reporting.feeds import FeedState, feed_states
from messages_app.reporting.timer import TimerHealth, read_timer

# For how long after its end a session that was given up with gaps is still reported.
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
    """A session and its feeds at an instant; `state` is live, closing, given-up or coming."""

    session: Session
    state: str
    feeds: Sequence[FeedState]


@dataclass(frozen=True)
class Situation:
    """Everything that `status` tells. `sessions` are the live, closing and given-up ones."""

    now: datetime
    sessions: Sequence[SessionState]
    coming: Session | None
    polls: Sequence[Poll]
    timer: TimerHealth

    @property
    def live(self) -> SessionState | None:
        """The session that is polled now."""
        return next((each for each in self.sessions if each.state == "live"), None)

    @property
    def backlog_s(self) -> float:
        """Seconds of session time that are still to be read."""
        feeds = [feed for each in self.sessions for feed in each.feeds]
        return sum(max(feed.gap_s + feed.lag_s, feed.unswept_s) for feed in feeds)


def take_situation(now: datetime, timer: TimerHealth | None = None) -> Situation:
    """Look at database and timer at `now`; raise Django's database errors."""
    given_up = Session.objects.filter(given_up=True, end_time__gt=now - REMEMBERED)
    found = [
        *(("live", session) for session in Session.objects.live(now)),
        *(("closing", session) for session in Session.objects.to_close(now)),
        *(("given-up", session) for session in given_up.order_by("end_time", "id")),
    ]
    states = [SessionState(session, state, feed_states(session, now)) for state, session in found]
    return Situation(
        now=now,
        # One that was given up counts no more once an import by hand has filled its gaps.
        sessions=[
            each
            for each in states
            if each.state != "given-up" or any(feed.gaps for feed in each.feeds)
        ],
        coming=Session.objects.coming(now).first(),
        polls=list(Poll.objects.latest_first().select_related("channel", "feed")[:POLLS_SHOWN]),
        timer=timer or read_timer(now, time.monotonic()),
    )

"""How far a feed is: what is covered, what is missing, and how far it is behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from messages_app.inert import inert
from messages_app.models import Feed, Session
from messages_app.windows import Coverage, Window


@dataclass(frozen=True)
class FeedState:
    """A feed at an instant.

    `gaps` are the holes before `covered_to`, the newest covered instant; once the session is over
    they are all that it lacks. `lag_s` is how far a live session's feed is behind the clock.
    `unswept_s` is what the closing sweep still has to read, 0 before the session's end.
    """

    session: Window
    session_id: int
    channel_id: int
    channel_name: str
    coverage: Coverage
    covered_to: datetime
    gaps: Sequence[Window]
    lag_s: float
    unswept_s: float
    failures: int
    next_attempt_at: datetime | None
    error_kind: str
    error: str
    sight_lost_at: datetime | None
    lease_holder: str

    @classmethod
    def of(cls, feed: Feed, session: Session, now: datetime) -> FeedState:
        """The state of one of the session's feeds at `now`."""
        window, is_over = session.window, now >= session.end_time
        elapsed = Window(window.start, min(now, window.end)) if now > window.start else None
        coverage = feed.coverage.within(elapsed) if elapsed else Coverage()
        covered_to = coverage.windows[-1].end if coverage.windows else window.start
        known_to = window.end if is_over else covered_to
        gaps = coverage.gaps(Window(window.start, known_to)) if known_to > window.start else []
        is_held = feed.lease_until is not None and feed.lease_until > now
        return cls(
            session=window,
            session_id=session.pk,
            channel_id=feed.channel_id,
            channel_name=inert(feed.channel.name),
            coverage=coverage,
            covered_to=covered_to,
            gaps=gaps,
            lag_s=0.0 if is_over or not elapsed else (now - covered_to).total_seconds(),
            unswept_s=_seconds(feed.swept.gaps(window)) if is_over and not session.closed_at else 0,
            failures=feed.failures,
            next_attempt_at=feed.next_attempt_at,
            error_kind=feed.error_kind,
            error=feed.error,
            sight_lost_at=feed.sight_lost_at,
            lease_holder=feed.lease_holder if is_held else "",
        )

    @property
    def name(self) -> str:
        """The channel as people call it."""
        return f"#{self.channel_name}" if self.channel_name else str(self.channel_id)

    @property
    def gap_s(self) -> float:
        return _seconds(self.gaps)

    @property
    def covered_share(self) -> float:
        """What share of the time up to the newest covered instant is covered, 0 to 1."""
        covered_s = _seconds(self.coverage.windows)
        return covered_s / (covered_s + self.gap_s) if covered_s else 0.0


def feed_states(session: Session, now: datetime) -> list[FeedState]:
    """The states of a session's feeds, in the order in which they are shown."""
    feeds = session.feeds.select_related("channel").in_shown_order()
    return [FeedState.of(feed, session, now) for feed in feeds]


def _seconds(windows: Sequence[Window]) -> float:
    return sum(window.seconds for window in windows)

"""A feed's progress: what a successful and what a failed poll change about it."""

from __future__ import annotations

from datetime import datetime, timedelta

from messages_app.errors import PollerError, TimeLimitReached, TokenRefused
from messages_app.models import Feed
from messages_app.windows import SHORTEST_SPAN_S, Window, backoff

PROGRESS_FIELDS = (
    "covered_windows",
    "swept_windows",
    "longest_window_s",
    "polled_at",
    "failures",
    "next_attempt_at",
    "error_kind",
    "error",
)


def advance(
    feed: Feed, window: Window, asked_at: datetime, *, sweep: bool, max_span_s: float
) -> None:
    """`window` was proved complete by an export that began at `asked_at`."""
    # Where the clock was set back, what seemed covered beyond it is not.
    feed.coverage = feed.coverage.until(asked_at).add(window)
    if sweep:
        feed.swept = feed.swept.add(window)
    if feed.longest_window_s and window.seconds >= feed.longest_window_s:
        longer = feed.longest_window_s * 2
        feed.longest_window_s = longer if longer < max_span_s else None
    feed.failures = 0
    feed.next_attempt_at = None
    feed.error_kind = feed.error = ""


def set_back(
    feed: Feed, window: Window, asked_at: datetime, failure: PollerError, *, cap_s: float
) -> None:
    """The poll of `window` that began at `asked_at` failed; nothing is asked again before a while.

    Discord bans hosts that go on knocking with a token that it refused: that waits the longest.
    """
    if can_be_halved(window, failure):
        feed.longest_window_s = max(window.seconds / 2, SHORTEST_SPAN_S)
    feed.failures += 1
    wait = backoff(feed.failures, cap_s)
    if isinstance(failure, TokenRefused):
        wait = timedelta(seconds=cap_s)
    feed.next_attempt_at = asked_at + wait
    feed.error_kind = failure.kind
    feed.error = str(failure)


def can_be_halved(window: Window, failure: PollerError) -> bool:
    """Whether the export took too long and half of its window might not."""
    return isinstance(failure, TimeLimitReached) and window.seconds > SHORTEST_SPAN_S

"""A feed's progress: what a successful and what a failed poll change about it."""

from __future__ import annotations

from datetime import datetime, timedelta

from messages_app.errors import (
    BotTokenRefused,
    ExporterCrashed,
    PollerError,
    RateLimited,
    TimeLimitReached,
    TokenDoubted,
    TokenRefused,
    Unproved,
)
from messages_app.models import Feed, Poll
from messages_app.windows import CLOCK_SLACK_S, SHORTEST_SPAN_S, Coverage, Window, backoff

# The kinds of a failure after which a token is tried on one feed before it is tried on all.
DOUBTED = (TokenDoubted.kind, TokenRefused.kind)
LONGEST_AFTER_CRASH = timedelta(seconds=60)
# An empty window that nothing proves is told after so long: most are proved by a message or a word
# in the next poll.
TOLD_AFTER = timedelta(minutes=2)
# What a failure changes of a feed, and what any poll may change of it.
FAILURE_FIELDS = (
    "longest_window_s",
    "polled_at",
    "failures",
    "next_attempt_at",
    "error_kind",
    "error",
)
PROGRESS_FIELDS = (
    *("covered_windows", "swept_windows", "shown_id", "sight_lost_at"),
    *FAILURE_FIELDS,
)


def advance(feed: Feed, window: Window, asked_at: datetime, *, sweep: bool) -> None:
    """`window` was proved complete by an export that began at `asked_at`."""
    # Where the clock was set back, what seemed covered beyond it is not.
    swept = feed.swept.until(asked_at)
    feed.coverage = feed.coverage.until(asked_at).add(window)
    feed.swept = swept.add(window) if sweep else swept


def note_sight(feed: Feed, asked_at: datetime, *, is_lost: bool, is_back: bool) -> bool:
    """Note whether an export showed texts; return whether it is the first that lacks some."""
    was_lost = feed.sight_lost_at is not None
    if is_lost and not was_lost:
        feed.sight_lost_at = asked_at
    elif is_back and not is_lost:
        feed.sight_lost_at = None
    return is_lost and not was_lost


def rewind(feed: Feed, latest: datetime) -> bool:
    """Forget what was noted by a clock ahead of `latest`; return whether there was any.

    What was read before the session's end is not read again after it, and neither is what was read
    by a clock that is known to have been ahead: there it may have been before the end, too.
    """
    before = feed.covered_windows, feed.swept_windows, feed.polled_at
    was_ahead = bool(feed.polled_at and feed.polled_at > latest + timedelta(seconds=CLOCK_SLACK_S))
    if was_ahead or latest < feed.session.end_time:
        feed.swept = Coverage()
    feed.coverage = feed.coverage.until(latest)
    if was_ahead:
        feed.polled_at = latest
    return before != (feed.covered_windows, feed.swept_windows, feed.polled_at)


def recover(feed: Feed, window: Window, *, max_span_s: float) -> None:
    """The poll of `window` succeeded: nothing is waited for, and more may be asked at once."""
    if feed.longest_window_s and window.seconds >= feed.longest_window_s:
        longer = feed.longest_window_s * 2
        feed.longest_window_s = longer if longer < max_span_s else None
    feed.failures = 0
    feed.next_attempt_at = None
    feed.error_kind = feed.error = ""


def set_back(
    feed: Feed, window: Window, asked_at: datetime, failure: PollerError, *, cap_s: float
) -> bool:
    """The poll of `window` that began at `asked_at` failed; nothing is asked again before a while.

    Discord bans hosts that go on knocking with a token that it refused: that waits the longest.
    Return whether it is too early to tell of it, which then shows nowhere.
    """
    wait = backoff(feed.failures + 1, cap_s)
    if isinstance(failure, Unproved):
        first = first_unproved(feed)
        waited = max(asked_at - first.started_at, timedelta(0)) if first else timedelta(0)
        wait = min(max(waited, backoff(1, cap_s)), timedelta(seconds=cap_s))
        if waited < TOLD_AFTER:
            feed.next_attempt_at = asked_at + wait
            return True
    if can_be_halved(window, failure):
        feed.longest_window_s = max(window.seconds / 2, SHORTEST_SPAN_S)
    feed.failures += 1
    if isinstance(failure, ExporterCrashed):
        # Discord answered; and maybe a new message in the channel ends it.
        wait = min(wait, LONGEST_AFTER_CRASH)
    if isinstance(failure, TokenRefused):
        wait = timedelta(seconds=cap_s)
    if isinstance(failure, RateLimited):
        wait = max(wait, timedelta(seconds=min(failure.wait_s, cap_s)))
    feed.next_attempt_at = asked_at + wait
    feed.error_kind = failure.kind
    feed.error = str(failure)
    return False


def first_unproved(feed: Feed) -> Poll | None:
    """The first poll of the feed whose window came empty and is not proved yet."""
    coverage, swept, span = feed.coverage, feed.swept, feed.session.window
    asked = feed.polls.filter(error_kind=Unproved.kind).order_by("id")
    for poll in asked.iterator():
        read = swept if poll.purpose == Poll.Purpose.SWEEP else coverage
        mine = poll.window.within(span)
        if mine and read.gaps(mine):
            return poll
    return None


def fail(feed: Feed, asked_at: datetime, failure: PollerError, *, cap_s: float) -> None:
    """Something went wrong with a feed aside from any window; store that it is waited with.

    What was changed of it in memory and not stored is forgotten.
    """
    feed.refresh_from_db(fields=PROGRESS_FIELDS)
    set_back(feed, Window(asked_at, asked_at), asked_at, failure, cap_s=cap_s)
    feed.polled_at = asked_at
    # Nothing else of it: the feed is not locked, and may have been edited since it was read.
    feed.save(update_fields=FAILURE_FIELDS)


def believed(feed: Feed, failure: PollerError) -> PollerError:
    """The failure to tell of: a token counts as refused only where the last poll said so, too.

    The exporter calls it invalid wherever its first question gets no answer.
    """
    if isinstance(failure, BotTokenRefused):
        return failure
    if isinstance(failure, TokenRefused) and feed.error_kind not in DOUBTED:
        return TokenDoubted()
    return failure


def can_be_halved(window: Window, failure: PollerError) -> bool:
    """Whether the export took too long and half of its window might not."""
    return isinstance(failure, TimeLimitReached) and window.seconds > SHORTEST_SPAN_S

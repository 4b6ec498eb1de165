"""Which window comes next: windows, coverage and backoff as pure arithmetic.

All instants are aware and in UTC, all ranges half-open. Nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

# How often poller.timer starts a poll; a test compares it with the unit.
PERIOD_S = 30
# A feed that failed is asked again by the next poll at the earliest.
FIRST_BACKOFF_S = PERIOD_S
# Discord may show a message so late: what was asked up to now counts up to this long before.
VISIBLE_AFTER = timedelta(seconds=5)
# Readings of clocks that agree may differ by this much.
CLOCK_SLACK_S = 2
# Why a window is read.
NEWEST, CATCH_UP, SWEEP = "newest", "catch-up", "sweep"
# A window is not halved below this: what cannot export one second fails for another reason.
SHORTEST_SPAN_S = 1.0


class Window(NamedTuple):
    """The half-open range `[start, end)`; never empty."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    def around(self, other: Window) -> Window:
        """The least window that holds both."""
        return Window(min(self.start, other.start), max(self.end, other.end))

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, datetime) and self.start <= instant < self.end

    def within(self, other: Window) -> Window | None:
        """The part of this window that lies in `other`, or None where they do not meet."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Window(start, end) if start < end else None

    def __str__(self) -> str:
        same_day = self.start.date() == self.end.date()
        end = _clock(self.end) if same_day else f"{self.end:%Y-%m-%d} {_clock(self.end)}"
        return f"{self.start:%Y-%m-%d} {_clock(self.start)} to {end} UTC"


class Coverage:
    """The union of windows: sorted, disjoint, touching ones joined. Immutable."""

    def __init__(self, windows: Iterable[Window] = ()) -> None:
        joined: list[Window] = []
        for window in sorted(windows):
            if joined and window.start <= joined[-1].end:
                joined[-1] = Window(joined[-1].start, max(joined[-1].end, window.end))
            else:
                joined.append(window)
        self.windows: Sequence[Window] = tuple(joined)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Coverage) and self.windows == other.windows

    def __hash__(self) -> int:
        return hash(self.windows)

    def __repr__(self) -> str:
        return f"Coverage({list(self.windows)})"

    def add(self, window: Window) -> Coverage:
        return Coverage([*self.windows, window])

    def plus(self, other: Coverage) -> Coverage:
        return Coverage([*self.windows, *other.windows])

    def common(self, other: Coverage) -> Coverage:
        """What lies in both."""
        return Coverage(part for window in other.windows for part in self.within(window).windows)

    def within(self, span: Window) -> Coverage:
        return Coverage(part for window in self.windows if (part := window.within(span)))

    def until(self, instant: datetime) -> Coverage:
        """What of it lies before `instant`."""
        return Coverage(
            Window(start, min(end, instant)) for start, end in self.windows if start < instant
        )

    def gaps(self, span: Window) -> list[Window]:
        """What of `span` is not covered, oldest first."""
        gaps = []
        start = span.start
        for window in self.within(span).windows:
            if start < window.start:
                gaps.append(Window(start, window.start))
            start = window.end
        if start < span.end:
            gaps.append(Window(start, span.end))
        return gaps

    def covered_until(self, span: Window) -> datetime:
        """How far `span` is covered from its start without a gap."""
        gaps = self.gaps(span)
        return gaps[0].start if gaps else span.end

    def to_json(self) -> list[list[str]]:
        return [[window.start.isoformat(), window.end.isoformat()] for window in self.windows]

    @classmethod
    def from_json(cls, windows: list[list[str]]) -> Coverage:
        return cls(
            Window(datetime.fromisoformat(start), datetime.fromisoformat(end))
            for start, end in windows
        )


@dataclass(frozen=True)
class Pace:
    """How far windows reach, and how long after a session's end its sweep begins; in seconds.

    POLLER_WINDOW, POLLER_OVERLAP, POLLER_MAX_SPAN, POLLER_CLOSING_DELAY.
    """

    window_s: float
    overlap_s: float
    max_span_s: float
    closing_delay_s: float


class Progress(NamedTuple):
    """How far a feed is: its session, what is covered, what was swept, its longest window.

    `untold_from` is where the last export ended to tell, if that was before its window's end.
    """

    session: Window
    coverage: Coverage
    swept: Coverage
    longest_s: float
    untold_from: datetime | None = None


class Step(NamedTuple):
    """What to read next, and why: NEWEST, CATCH_UP or SWEEP."""

    purpose: str
    window: Window


def next_step(
    progress: Progress,
    pace: Pace,
    now: datetime,
    newest_at: datetime | None,
    *,
    is_newest_due: bool,
) -> Step | None:
    """What a run reads next of a feed at `now`, or None where nothing is due.

    `newest_at` is when this run began to read the newest window, None before it did.
    """
    session = progress.session
    if now >= session.end + timedelta(seconds=pace.closing_delay_s):
        sweep = sweep_window(session, progress.swept, progress.longest_s)
        return Step(SWEEP, sweep) if sweep else None
    if newest_at is None or is_newest_due:
        newest = newest_window(progress, pace, now)
        if newest:
            return Step(NEWEST, newest)
        newest_at = now
    behind = catch_up_window(progress, pace, newest_at - VISIBLE_AFTER)
    return Step(CATCH_UP, behind) if behind else None


def newest_window(progress: Progress, pace: Pace, now: datetime) -> Window | None:
    """The window that keeps a live viewer fresh; after the session's end, its uncovered tail.

    It reaches back over the last covered instant, so that consecutive polls leave no hole; where
    that is too far, only the trailing window is read, and `catch_up_window` fills in the rest.
    """
    session = progress.session
    end = min(now, session.end)
    if end <= session.start:
        return None
    past = progress.coverage.within(Window(session.start, end)).windows
    covered = past[-1].end if past else session.start
    if covered == session.end:
        return None
    trailing = end - timedelta(seconds=min(pace.window_s, progress.longest_s))
    start = min(trailing, covered - timedelta(seconds=pace.overlap_s))
    if end - start > timedelta(seconds=progress.longest_s):
        start = trailing
    return Window(max(start, session.start), end)


def catch_up_window(progress: Progress, pace: Pace, until: datetime) -> Window | None:
    """The oldest window before `until` that is still to be read, or None.

    Each window reaches back over the last one, but by no more than half of its own length, and not
    behind `untold_from`, so that catching up always advances.
    """
    session = progress.session
    end = min(until, session.end)
    if end <= session.start:
        return None
    gaps = progress.coverage.gaps(Window(session.start, end))
    if not gaps:
        return None
    back = timedelta(seconds=min(pace.overlap_s, progress.longest_s / 2))
    start = max(gaps[0].start - back, session.start)
    if progress.untold_from and progress.untold_from <= gaps[0].start:
        start = max(start, progress.untold_from)
    return Window(start, min(gaps[0].end, start + timedelta(seconds=progress.longest_s)))


def sweep_window(session: Window, swept: Coverage, longest_s: float) -> Window | None:
    """The oldest window of the closing sweep still to be read again, or None when it is done."""
    gaps = swept.gaps(session)
    if not gaps:
        return None
    start, end = gaps[0]
    return Window(start, min(end, start + timedelta(seconds=longest_s)))


def backoff(failures: int, cap_s: float) -> timedelta:
    """How long to wait after the `failures`-th failure in a row (1 or more): 30 s, 60 s, 120 s …"""
    return timedelta(seconds=min(FIRST_BACKOFF_S * 2 ** min(failures - 1, 20), cap_s))


def chunks(span: Window, longest_s: float) -> list[Window]:
    """`span` cut into windows of at most `longest_s` seconds, oldest first."""
    windows = []
    start = span.start
    while start < span.end:
        end = min(span.end, start + timedelta(seconds=longest_s))
        windows.append(Window(start, end))
        start = end
    return windows


def to_milliseconds(instant: datetime) -> datetime:
    """`instant` floored to the millisecond, which is as fine as Discord's ids tell time."""
    return instant.astimezone(UTC).replace(microsecond=instant.microsecond // 1000 * 1000)


def _clock(instant: datetime) -> str:
    return f"{instant:%H:%M:%S}" + (
        f".{instant.microsecond // 1000:03}" if instant.microsecond else ""
    )

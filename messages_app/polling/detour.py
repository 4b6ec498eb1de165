"""How to read around a message that the exporter cannot parse: the decisions, without effects.

The exporter reads pages of 100 messages behind a window's start and parses each whole, beyond the
window's end too; and before that, the newest message before the end. So every export fails that
begins within the 100 messages before the bad one, and every one whose newest message it is.

The search has three steps, and each reads a window whose export succeeds or fails:
 1. until a short window up to now succeeds, the bad message is the newest of the channel; then all
    is read once more up to there, since what ended exports for a while may be over;
 2. with that window's end, windows succeed that begin behind the bad message: its millisecond is
    found by bisecting their start, and all behind it is covered on the way;
 3. on its left a page must end between the last message before it and itself, so windows begin 50,
    75, … 100 stored messages before it. Where the first page is read, the export stores what was
    unknown of it before it fails at the second; where fewer are stored, windows reach back to
    what was posted before the session. A window from the hundredth message before the bad
    one to the last, which is excluded, then proves what lies left of it.

What stays is the gap from that last message to the bad one. Only exports that succeed move the
coverage, whatever is believed here of where the message is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from messages_app.windows import Coverage, Window, to_milliseconds

# How many messages a page of Discord holds.
PAGE = 100
# So many equal failures in a row are taken for a message that the exporter cannot parse.
CRASHES = 3
RETRY_AFTER = timedelta(days=1)
# How far before the oldest stored message a window begins where a page cannot be filled: this long
# at first, and twice as long each time, up to a month.
FIRST_REACH = timedelta(minutes=10)
LARGEST_REACH = 12
_MILLISECOND = timedelta(milliseconds=1)
# `back` in the last step.
_PROOF = PAGE + 1


@dataclass(frozen=True)
class Detour:
    """What is known of one such message, which was posted in `[low, high)`.

    `high` and `end` are None before a window of step 1 has succeeded, which was `[high, end)`.
    `back` is 0 in step 1, then how many stored messages before it the next window of step 3 begins,
    and `reach` how often that went back further, where not so many are stored. Once the search is
    over the gap is `[left, high)`; a window that ends in `(anchor, left]` must begin at `anchor`,
    and where that is None nothing before `left` can be read again.
    """

    words: str
    low: datetime
    high: datetime | None = None
    end: datetime | None = None
    back: int = 0
    reach: int = 0
    left: datetime | None = None
    anchor: datetime | None = None
    retry_at: datetime | None = None

    @property
    def gap(self) -> Window | None:
        """What cannot be read; None while it is searched for."""
        return Window(self.left, self.high) if self.left and self.high else None

    @property
    def is_located(self) -> bool:
        """Whether the millisecond is known in which it was posted."""
        return self.high is not None and self.high - self.low <= _MILLISECOND


def found(after: datetime, words: str) -> Detour:
    """What is known once exports that begin at `after` have failed with these words."""
    return Detour(words, to_milliseconds(after))


def next_window(
    detour: Detour, now: datetime, trailing_s: float, stored: Sequence[datetime]
) -> Window | None:
    """What to read next because of the detour, None where that is nothing for now.

    `stored` are the times of the newest stored messages before `low`, the newest first, as many as
    PAGE where there are so many; `is_exhausted` must say no.
    """
    if gap := detour.gap:
        is_due = detour.retry_at is not None and detour.retry_at <= now
        return Window(detour.anchor or gap.start, gap.end) if is_due else None
    if detour.high is None or detour.end is None:
        return Window(now - timedelta(seconds=trailing_s), now)
    if not detour.back:
        return Window(detour.low, detour.end)
    if not detour.is_located:
        middle = to_milliseconds(detour.low + (detour.high - detour.low) / 2)
        return Window(max(middle, detour.low + _MILLISECOND), detour.end)
    if len(stored) < PAGE:
        oldest = stored[-1] if stored else detour.low
        return Window(oldest - FIRST_REACH * 2**detour.reach, detour.low)
    if detour.back < _PROOF:
        return Window(stored[detour.back - 1], detour.low)
    return Window(stored[PAGE - 1], stored[0])


def after_success(detour: Detour, window: Window, now: datetime) -> Detour | None:
    """What is known once the export of `window` has succeeded; None where nothing is in the way."""
    if gap := detour.gap:
        return None if window.start <= gap.start and gap.end <= window.end else detour
    if detour.high is None:
        low = min(detour.low, window.start - _MILLISECOND)
        return replace(detour, low=low, high=window.start, end=window.end)
    if not detour.back:
        return None
    if not detour.is_located:
        return replace(detour, high=window.start)
    if detour.back < _PROOF:  # it read up to the bad message itself
        return _settled(detour, detour.low, window.start, now)
    return _settled(detour, window.end, window.start, now)


def after_failure(
    detour: Detour, window: Window, new: int, stored_count: int, now: datetime
) -> Detour:
    """What is known once the export of `window` has failed and stored `new` messages.

    `stored_count` is how many messages are stored before `low` now, PAGE at most.
    """
    if detour.gap:
        return replace(detour, retry_at=now + RETRY_AFTER)
    if detour.high is None:
        return detour
    if not detour.back:
        return replace(detour, back=PAGE // 2)
    if not detour.is_located:
        return replace(detour, low=window.start)
    if detour.back >= _PROOF:
        return replace(detour, back=_PROOF + 1)
    if new:
        return detour
    if stored_count < PAGE:
        return replace(detour, reach=detour.reach + 1)
    step = (PAGE - detour.back + 1) // 2
    return replace(detour, back=detour.back + step if step else _PROOF)


def settled(detour: Detour, covered_until: datetime, now: datetime) -> Detour:
    """The detour once nothing more can be tried on its left: the gap begins there."""
    return _settled(detour, min(covered_until, detour.low), None, now)


def is_exhausted(detour: Detour, stored: Sequence[datetime]) -> bool:
    """Whether no further window on its left is worth reading."""
    if not detour.is_located or not detour.back or detour.gap:
        return False
    if len(stored) < PAGE:
        return detour.reach > LARGEST_REACH
    return detour.back > _PROOF or stored[PAGE - 1] == stored[0]


def _settled(detour: Detour, left: datetime, anchor: datetime | None, now: datetime) -> Detour:
    return replace(detour, left=left, anchor=anchor, retry_at=now + RETRY_AFTER)


def is_stuck(detours: Iterable[Detour]) -> bool:
    """Whether something is in the way that no export has got behind yet."""
    return any(each.high is None for each in detours)


def blocked(detours: Iterable[Detour], session: Window, *, sweep: bool) -> Coverage:
    """What of a session is not to be asked for as long as these are in the way.

    While one is searched for that is all before what was read behind it. With `sweep`, also what
    was read before and cannot be read again.
    """
    parts = []
    for each in detours:
        if gap := each.gap:
            start = session.start if sweep and each.anchor is None else gap.start
            parts.append(Window(min(start, gap.start), gap.end))
        else:
            parts.append(Window(session.start, max(each.high or session.end, session.start)))
    return Coverage(part for whole in parts if (part := whole.within(session)))


def around(window: Window, needed: datetime, detours: Iterable[Detour]) -> Window | None:
    """`window` as it can be read: behind what it would cross, and with pages that end before it.

    What lies before `needed`, an instant in the window, was read before and may be left out.
    """
    start, end = window
    for each in detours:
        high = each.high
        left = each.left or each.low
        if high is None or start >= high or start >= end:
            continue
        if end > high:
            start = high
        elif end > left:
            end = left
        if each.anchor and each.anchor < end <= left:
            if needed < each.anchor:
                end = each.anchor
            else:
                start = each.anchor
    return Window(start, end) if start < end else None

"""The timeline of a session: messages per minute over its time, coverage and gaps under them.

Counting goes over the session's rows once per process; afterwards only the minutes that new polls
touched are counted again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import CharField, Count, Func

from messages_app.models import Message
from messages_app.web.clock import Clock
from messages_app.web.watching import SessionState, exact_duration, polls_since
from messages_app.windows import Coverage, Window

WIDTH, HEIGHT = 1000, 64
MOST_BARS = 200
STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240, 720, 1440)
KEPT_SESSIONS = 32
# A file imported by hand leaves no poll behind: this is how soon its messages are drawn.
COUNT_AGAIN_AFTER = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Bar:
    """Some minutes of the session; place and size in the drawing's units."""

    x: float
    width: float
    y: float
    height: float
    count: int
    label: str
    at: str


@dataclass(frozen=True)
class Stretch:
    """A covered stretch or a gap on the strip under the bars."""

    x: float
    width: float
    label: str


@dataclass(frozen=True)
class Timeline:
    bars: Sequence[Bar]
    covered: Sequence[Stretch]
    gaps: Sequence[Stretch]
    now_x: float | None
    total: int
    peak: int
    unit: str
    marks: Sequence[str]


class _MinuteOf(Func):
    """The minute of a time, in UTC, as text."""

    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        return super().as_sql(compiler, connection, template="substr(%(expressions)s, 1, 16)")

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        template = "to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"
        return super().as_sql(compiler, connection, template=template)


@dataclass(frozen=True)
class _Counted:
    version: str
    window: Window
    at: datetime
    minutes: dict[datetime, int]


_counted: OrderedDict[int, _Counted] = OrderedDict()
_lock = threading.Lock()


def timeline(state: SessionState, now: datetime, clock: Clock) -> Timeline:
    """The timeline of a session at `now`."""
    window = state.session.window
    minutes = _minute_counts(state, now)
    step = next((s for s in STEPS_MIN if window.seconds / 60 / s <= MOST_BARS), STEPS_MIN[-1])
    counts: dict[datetime, int] = {}
    for minute, count in minutes.items():
        begin = window.start + (minute - window.start) // (step * _MINUTE) * (step * _MINUTE)
        counts[begin] = counts.get(begin, 0) + count
    peak = max(counts.values(), default=0)
    covered = Coverage(part for feed in state.feeds for part in feed.covered.windows)
    # Where any feed lacks something the strip shows the gap over the others' coverage.
    return Timeline(
        bars=[
            _bar(begin, counts[begin], peak, timedelta(minutes=step), window, clock)
            for begin in sorted(counts)
        ],
        covered=[_stretch(part, window, clock, "covered") for part in covered.windows],
        gaps=[_stretch(gap, window, clock, "gap of " + _length(gap)) for gap in state.gaps],
        now_x=_x(now, window) if state.is_live else None,
        total=sum(counts.values()),
        peak=peak,
        unit="a minute" if step == 1 else f"{step} minutes",
        marks=[
            clock.minute(window.start + (window.end - window.start) * quarter / 4)
            for quarter in range(5)
        ],
    )


def forget() -> None:
    """Count anew from now on (tests start each from nothing)."""
    with _lock:
        _counted.clear()


def _minute_counts(state: SessionState, now: datetime) -> dict[datetime, int]:
    session = state.session
    with _lock:
        known = _counted.get(session.pk)
    if known and (known.window != session.window or now - known.at > COUNT_AGAIN_AFTER):
        known = None
    if known and known.version == state.version:
        return known.minutes
    if known and _feeds_in(known.version) == _feeds_in(state.version):
        minutes = dict(known.minutes)
        polls = [poll for poll in polls_since(known.version) if poll.messages_new]
        for touched in Coverage(_whole_minutes(poll.window) for poll in polls).windows:
            for minute in [minute for minute in minutes if minute in touched]:
                del minutes[minute]
            if part := touched.within(session.window):
                _add(minutes, _counts(state, part))
        counted_at = known.at
    else:
        minutes = _counts(state, session.window)
        counted_at = now
    with _lock:
        _counted[session.pk] = _Counted(state.version, session.window, counted_at, minutes)
        _counted.move_to_end(session.pk)
        while len(_counted) > KEPT_SESSIONS:
            _counted.popitem(last=False)
    return minutes


def _counts(state: SessionState, part: Window) -> dict[datetime, int]:
    channel_ids = [feed.feed.channel_id for feed in state.feeds]
    rows = (
        Message.objects.of_channels(part, channel_ids)
        .annotate(minute=_MinuteOf("timestamp"))
        .order_by()
        .values_list("minute")
        .annotate(Count("discord_id"))
    )
    return {datetime.fromisoformat(minute).replace(tzinfo=UTC): count for minute, count in rows}


def _add(minutes: dict[datetime, int], more: dict[datetime, int]) -> None:
    for minute, count in more.items():
        minutes[minute] = minutes.get(minute, 0) + count


def _feeds_in(version: str) -> list[str]:
    return [part.partition("-")[0] for part in version.split(".")]


def _whole_minutes(window: Window) -> Window:
    start = window.start.replace(second=0, microsecond=0)
    return Window(start, window.end.replace(second=0, microsecond=0) + _MINUTE)


def _x(instant: datetime, window: Window) -> float:
    share = (instant - window.start) / (window.end - window.start)
    return round(min(max(share, 0.0), 1.0) * WIDTH, 2)


def _bar(
    begin: datetime, count: int, peak: int, step: timedelta, window: Window, clock: Clock
) -> Bar:
    x, end = _x(begin, window), _x(begin + step, window)
    height = round(max(count / peak * HEIGHT, 1.5), 2)
    messages = "1 message" if count == 1 else f"{count} messages"
    return Bar(
        x=x,
        width=round(max(end - x - 0.8, 0.8), 2),
        y=round(HEIGHT + 2 - height, 2),
        height=height,
        count=count,
        label=f"{clock.minute(max(begin, window.start))}: {messages}",
        at=max(begin, window.start).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def _stretch(part: Window, window: Window, clock: Clock, what: str) -> Stretch:
    x = _x(part.start, window)
    width = max(_x(part.end, window) - x, 1.5)
    return Stretch(
        x, round(width, 2), f"{what}: {clock.minute(part.start)} to {clock.minute(part.end)}"
    )


def _length(gap: Window) -> str:
    return exact_duration(gap.end - gap.start)

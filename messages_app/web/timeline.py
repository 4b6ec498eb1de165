"""The timeline of a session: messages per minute over its time, coverage and gaps under them.

Counting goes over the session's rows once per process; afterwards only the minutes that new polls
touched are counted again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import CharField, Count, Func
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from messages_app.models import Message
from messages_app.web.rendering.clock import ViewerClock
from messages_app.web.watching import WatchedSession, exact_duration, polls_since
from messages_app.windows import Coverage, Window

WIDTH, HEIGHT = 1000, 64
MOST_BARS = 200
STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 240, 720, 1440, 10_080, 43_200)
# From these lengths on, messages are counted by the hour or the day: an archive may span years.
BY_HOUR_FROM_S, BY_DAY_FROM_S = 8 * 86400, 200 * 86400
KEPT_SESSIONS = 32
# A file imported by hand leaves no poll behind: this is how soon its messages are drawn.
COUNT_AGAIN_AFTER = timedelta(minutes=5)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Timeline:
    """The drawing's parts as SVG, and what stands beside it.

    `now_x` is None when it is over, and so is the strip of an archive, which was never polled.
    """

    bars: SafeString
    strip: SafeString | None
    gap_count: int
    now_x: str | None
    total: int
    peak: int
    unit: str
    marks: Sequence[str]


class _BeginOf(Func):
    """The minute, hour or day of a time, in UTC, as text of so many characters."""

    output_field = CharField()
    MINUTE, HOUR, DAY = 16, 13, 10

    def __init__(self, expression: str, characters: int) -> None:
        super().__init__(expression, characters=characters)

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        template = "substr(%(expressions)s, 1, %(characters)s)"
        return super().as_sql(compiler, connection, template=template)

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:
        text = "to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"
        template = f"left({text}, %(characters)s)"
        return super().as_sql(compiler, connection, template=template)


@dataclass(frozen=True)
class _Counted:
    version: str
    window: Window
    at: datetime
    minutes: dict[datetime, int]


_counted: OrderedDict[int, _Counted] = OrderedDict()
_lock = threading.Lock()


def timeline(state: WatchedSession, now: datetime, clock: ViewerClock) -> Timeline:
    """The timeline of a session at `now`."""
    window = state.session.window
    minutes = _minute_counts(state, now)
    step = next((s for s in STEPS_MIN if window.seconds / 60 / s <= MOST_BARS), STEPS_MIN[-1])
    counts: dict[datetime, int] = {}
    for minute, count in minutes.items():
        begin = window.start + (minute - window.start) // (step * _MINUTE) * (step * _MINUTE)
        counts[begin] = counts.get(begin, 0) + count
    peak = max(counts.values(), default=0)
    # Where any feed lacks something the strip shows the gap over the others' coverage, and it ends
    # where the feed that lags most does.
    covered = Coverage(part for feed in state.feeds for part in feed.covered.windows)
    if state.is_live:
        ends = ([window.start, *(part.end for part in f.covered.windows)] for f in state.feeds)
        covered = covered.until(min(map(max, ends), default=window.start))
    page = reverse("session", args=[state.session.pk])
    length = timedelta(minutes=step)
    bars = [
        _bar(begin, counts[begin], peak, length, window, clock, page) for begin in sorted(counts)
    ]
    strip = [_stretch(part, window, clock, "covered") for part in covered.windows]
    strip += [_stretch(gap, window, clock, "gap") for gap in state.gaps]
    return Timeline(
        bars=mark_safe("".join(bars)),  # noqa: S308 - numbers and times only
        # numbers and times only
        strip=None if state.session.is_archive else mark_safe("".join(strip)),  # noqa: S308
        gap_count=len(state.gaps),
        now_x=f"{_x(now, window):.1f}" if state.is_live else None,
        total=sum(counts.values()),
        peak=peak,
        unit=_step_in_words(step),
        marks=[
            _instant(window, clock)(window.start + (window.end - window.start) * quarter / 4)
            for quarter in range(5)
        ],
    )


def forget() -> None:
    """Count anew from now on (tests start each from nothing)."""
    with _lock:
        _counted.clear()


def _minute_counts(state: WatchedSession, now: datetime) -> dict[datetime, int]:
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


def _counts(state: WatchedSession, part: Window) -> dict[datetime, int]:
    channel_ids = [feed.feed.channel_id for feed in state.feeds]
    rows = (
        Message.objects.of_channels(part, channel_ids)
        .annotate(minute=_BeginOf("timestamp", _fineness(state.session.window)))
        .order_by()
        .values_list("minute")
        .annotate(Count("discord_id"))
    )
    return {datetime.fromisoformat(minute).replace(tzinfo=UTC): count for minute, count in rows}


def _fineness(window: Window) -> int:
    if window.seconds >= BY_DAY_FROM_S:
        return _BeginOf.DAY
    return _BeginOf.HOUR if window.seconds >= BY_HOUR_FROM_S else _BeginOf.MINUTE


def _step_in_words(minutes: int) -> str:
    if minutes == 1:
        return "a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if minutes == 60:
        return "an hour"
    if minutes < 1440:
        return f"{minutes // 60} hours"
    return "a day" if minutes == 1440 else f"{minutes // 1440} days"


def _add(minutes: dict[datetime, int], more: dict[datetime, int]) -> None:
    for minute, count in more.items():
        minutes[minute] = minutes.get(minute, 0) + count


def _feeds_in(version: str) -> list[str]:
    return [part.partition("-")[0] for part in version.split(".")]


def _whole_minutes(window: Window) -> Window:
    start = window.start.replace(second=0, microsecond=0)
    return Window(start, window.end.replace(second=0, microsecond=0) + _MINUTE)


def _instant(window: Window, clock: ViewerClock) -> Callable[[datetime], str]:
    """How instants of the window are told: with their day where it spans several."""
    return clock.date_and_minute if window.seconds > 2 * 86400 else clock.minute


def _x(instant: datetime, window: Window) -> float:
    share = (instant - window.start) / (window.end - window.start)
    return min(max(share, 0.0), 1.0) * WIDTH


def _bar(
    begin: datetime,
    count: int,
    peak: int,
    step: timedelta,
    window: Window,
    clock: ViewerClock,
    page: str,
) -> str:
    """A bar that leads to its minutes; the whole height above the strip can be clicked."""
    x = _x(begin, window)
    width = max(_x(begin + step, window) - x - 0.8, 0.8)
    height = max(count / peak * HEIGHT, 1.5)
    start = max(begin, window.start)
    messages = "1 message" if count == 1 else f"{count} messages"
    place = f'x="{x:.1f}" width="{width:.1f}"'
    return (
        f'<a href="{page}?at={start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" tabindex="-1">'
        f'<rect class="hit" {place} y="0" height="68"></rect>'
        f'<rect class="amount" {place} y="{HEIGHT + 2 - height:.1f}" height="{height:.1f}"></rect>'
        f"<title>{_instant(window, clock)(start)}: {messages}</title></a>"
    )


def _stretch(part: Window, window: Window, clock: ViewerClock, kind: str) -> str:
    """A covered stretch or a gap on the strip; a gap stands out by its height, too."""
    x = _x(part.start, window)
    width = max(_x(part.end, window) - x, 1.5)
    y, height = (70, 12) if kind == "gap" else (72, 8)
    length = f" of {exact_duration(part.end - part.start)}" if kind == "gap" else ""
    return (
        f'<rect class="{kind}" x="{x:.1f}" width="{width:.1f}" y="{y}" height="{height}">'
        f"<title>{kind}{length}: {clock.minute(part.start)} to {clock.minute(part.end)}</title>"
        "</rect>"
    )

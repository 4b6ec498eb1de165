"""The situation as one screen of text. Words carry the meaning, colour only repeats it."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from messages_app.exporter.choice import Choice
from messages_app.models import Filling, Poll
from messages_app.reporting.feeds import FeedState
from messages_app.reporting.sessions import duration, session_state
from messages_app.reporting.situation import Problem, SessionState, Situation, Verdict
from messages_app.reporting.timer import TimerHealth, TimerState
from messages_app.windows import Window

# The bar of a session's time, in characters.
BAR_WIDTH = 32
# How many gaps of one feed are named.
GAPS_SHOWN = 3

Paint = Callable[[str], str]


@dataclass(frozen=True)
class Marks:
    """The characters of a screen: for a terminal that shows Unicode, or for any."""

    covered: str
    missing: str
    ahead: str
    good: str
    bad: str


UNICODE = Marks("█", "░", "·", "✓", "✗")
ASCII = Marks("#", "-", ".", "ok", "!!")


def marks_for(stream: object) -> Marks:
    """The characters that this output can show."""
    return UNICODE if _encoding(stream).lower().startswith("utf") else ASCII


def writable(text: str, stream: object) -> str:
    """`text` with a question mark for whatever this output cannot show."""
    return text.encode(_encoding(stream), "replace").decode(_encoding(stream))


def terminal_width() -> int:
    """The columns of the terminal; 100 where there is none."""
    return max(shutil.get_terminal_size((100, 24)).columns, 40)


def _encoding(stream: object) -> str:
    return getattr(stream, "encoding", None) or "ascii"


@dataclass(frozen=True)
class Screen:
    """Where a situation is shown: `width` in columns, and a paint for each verdict."""

    width: int
    marks: Marks
    paints: Sequence[Paint] = (str, str, str)

    def paint(self, severity: Verdict, text: str) -> str:
        return self.paints[severity](text)

    def wrapped(self, text: str, first: str, indent: int) -> list[str]:
        """`text` in lines of the screen's width, the first after `first`."""
        return textwrap.wrap(
            text,
            self.width,
            initial_indent=first,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def status_text(
    situation: Situation,
    problems: Sequence[Problem],
    verdict: Verdict,
    exporter: Choice,
    screen: Screen,
) -> str:
    """The screen, its verdict in the first line."""
    head = f"discord-poller is {verdict.name}"
    lines = [f"{screen.paint(verdict, head)}  at {situation.now:%Y-%m-%d %H:%M:%S} UTC"]
    for problem in problems:
        text = screen.wrapped(problem.sentence, f"  {screen.marks.bad} ", 4)
        lines += [screen.paint(problem.severity, line) for line in text]
    for each in situation.sessions:
        lines += ["", *_session_lines(each, situation.now, screen)]
    lines += ["", *_next_lines(situation), f"Timer: {_timer_line(situation.timer, situation.now)}"]
    lines += screen.wrapped(f"{exporter.name}, since {exporter.why}.", "Exporter: ", 4)
    if situation.filling:
        lines.append(f"Stored messages: {_filling_words(situation.filling)}")
    if situation.polls:
        lines += ["", "Last polls", *(_poll_line(poll, screen) for poll in situation.polls)]
    return "\n".join(lines)


def _filling_words(filling: Filling) -> str:
    if not filling.messages:
        return "not prepared yet for this release's pages and search: run `fill`"
    percent = min(100 * filling.filled // filling.messages, 100)
    return f"{percent} % are prepared for this release's pages and search"


def _session_lines(each: SessionState, now: datetime, screen: Screen) -> Iterator[str]:
    session = each.session
    yield f"Session {session.pk} «{session.title}»: {_state(each, now)}"
    yield f"  {session.window}"
    names = _names(each.feeds)
    width = max(map(len, names), default=0)
    for feed, name in zip(each.feeds, names, strict=True):
        yield f"  {name:<{width}}  {bar(feed, now, screen.marks)}  {_feed_words(feed)}"
        yield from _feed_details(feed)


def _state(each: SessionState, now: datetime) -> str:
    return session_state(each.session, now, has_channels=bool(each.feeds))


def _names(feeds: Sequence[FeedState]) -> list[str]:
    """The channels' names, with their ids where two have one name."""
    names = [feed.name for feed in feeds]
    return [
        f"{feed.name} ({feed.channel_id})" if names.count(feed.name) > 1 else feed.name
        for feed in feeds
    ]


def bar(feed: FeedState, now: datetime, marks: Marks, width: int = BAR_WIDTH) -> str:
    """The session's time from left to right: covered, missing, and still to come.

    A cell is shown as covered only where all of it is, so that no gap is too short to be seen.
    """
    start, cell = feed.session.start, (feed.session.end - feed.session.start) / width
    shown = ""
    for index in range(width):
        window = Window(start + index * cell, start + (index + 1) * cell)
        known = window.within(Window(feed.session.start, max(feed.covered_to, window.start)))
        if known and not feed.coverage.gaps(known):
            shown += marks.covered
        else:
            is_ahead = not known and window.end > now
            shown += marks.ahead if is_ahead else marks.missing
    return f"[{shown}]"


def _feed_words(feed: FeedState) -> str:
    words = ["complete" if feed.coverage.windows else "nothing read yet"]
    if feed.gaps:
        # Cut, not rounded: what is not complete must not be called 100 %.
        words = [f"{int(feed.covered_share * 100)} %"]
        words.append(f"{duration(timedelta(seconds=feed.gap_s))} missing")
    if feed.lag_s:
        words.append(f"{duration(timedelta(seconds=feed.lag_s))} behind")
    if feed.unswept_s:
        words.append(f"{duration(timedelta(seconds=feed.unswept_s))} to read again")
    return ", ".join(words)


def _feed_details(feed: FeedState) -> Iterator[str]:
    for gap in feed.gaps[:GAPS_SHOWN]:
        yield f"      gap of {duration(timedelta(seconds=gap.seconds))}: {gap}"
    if len(feed.gaps) > GAPS_SHOWN:
        yield f"      and {len(feed.gaps) - GAPS_SHOWN} more gaps"
    if feed.lease_holder:
        yield f"      run {feed.lease_holder} is working on it"
    if feed.failures:
        times = "1 failure" if feed.failures == 1 else f"{feed.failures} failures in a row"
        again = f", next try {feed.next_attempt_at:%H:%M:%S} UTC" if feed.next_attempt_at else ""
        yield f"      {times} ({feed.error_kind}){again}"


def _next_lines(situation: Situation) -> Iterator[str]:
    coming = situation.coming
    if coming:
        yield (
            f"Next: session {coming.pk} «{coming.title}», "
            f"{session_state(coming, situation.now, has_channels=True)}, {coming.window}"
        )
    elif not situation.live:
        yield "Next: no session is scheduled (`session add` schedules one)."


def _timer_line(timer: TimerHealth, now: datetime) -> str:
    if timer.state == TimerState.WAITING and timer.next_elapse:
        left = max(timer.next_elapse - now, timedelta())
        return f"next poll in {duration(left)}{_last_run(timer)}"
    return timer.state.words + _last_run(timer)


def _last_run(timer: TimerHealth) -> str:
    if timer.last_run is None:
        return ""
    ended = f", it ended with status {timer.last_status}" if timer.last_status is not None else ""
    return f"; last run at {timer.last_run:%H:%M:%S} UTC{ended}"


def _poll_line(poll: Poll, screen: Screen) -> str:
    mark = screen.marks.good if poll.succeeded else screen.marks.bad
    came = f"{poll.tally}" if poll.succeeded else f"FAILED: {poll.error_kind}"
    line = (
        f"  {mark} {poll.started_at:%H:%M:%S} {poll.channel}  {poll.get_purpose_display()}, "
        f"{came}, {poll.duration_ms / 1000:.1f} s"
    )
    line = line if len(line) <= screen.width else f"{line[: screen.width - 1]}…"
    return line if poll.succeeded else screen.paint(Verdict.DEGRADED, line)

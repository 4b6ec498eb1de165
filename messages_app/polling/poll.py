"""The use case of `poll_recent_messages`: poll the live session, close those that are over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from messages_app.environment import Settings
from messages_app.errors import ConfigurationError
from messages_app.gate import idle_sentence
from messages_app.leases import release_dead
from messages_app.models import Feed, FeedQuerySet, Session
from messages_app.reporting.events import (
    Report,
    session_closed,
    session_given_up,
    sessions_overlap,
)
from messages_app.runs import Run
from messages_app.scheduling import set_channels
from messages_app.turns import Clock, PollRun

# A session that cannot be closed is given up this long after its end.
GIVE_UP_AFTER = timedelta(days=1)
# A tick that comes this much early still counts: timers and clocks are not exact.
TICK_SLACK = timedelta(seconds=2)


@dataclass(frozen=True)
class RunOutcome:
    """What a run came to: one line, and the exit status."""

    sentence: str
    status: int = 0


def poll_recent(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    report: Report,
    *,
    ignore_backoff: bool = False,
) -> RunOutcome:
    """Do one poll; raise ConfigurationError where something is due and cannot be done."""
    now = clock()
    live = list(Session.objects.live(now))
    over = list(Session.objects.to_close(now))
    if len(live) > 1:
        report(sessions_overlap(live[0], live[1:]))
    due = [*live[:1], *over]
    if not due:
        coming = Session.objects.coming(now).first()
        return RunOutcome(idle_sentence(str(coming.start_time) if coming else None))
    for session in due:
        if not session.feeds.exists():
            set_channels(session, settings.channels)
    if live and not live[0].feeds.exists():
        raise ConfigurationError(
            f"Session {live[0].pk} has no channels: add them with `session edit {live[0].pk} "
            "--channel ID`, or set POLLER_CHANNELS."
        )
    with Run.of(settings) as run:
        with run.dead_runs() as dead:
            release_dead(dead)
        feeds = _feeds_to_poll(due, now, settings, ignore_backoff=ignore_backoff)
        poll_run = PollRun(settings, environ, run, clock, report) if feeds else None
        if poll_run:
            poll_run.poll(feeds)
        for session in over:
            _close(session, clock(), report)
    return RunOutcome(_sentence(due, poll_run, now, settings), poll_run.status if poll_run else 0)


def _feeds_to_poll(
    sessions: list[Session], now: datetime, settings: Settings, *, ignore_backoff: bool
) -> list[Feed]:
    """The sessions' feeds in their order, but for those that back off."""
    feeds: list[Feed] = []
    for session in sessions:
        mine = session.feeds.select_related("session", "channel").least_recently_polled_first()
        if not ignore_backoff:
            mine = mine.exclude(pk__in=_waiting(now + TICK_SLACK, settings))
        feeds += mine
    return feeds


def _close(session: Session, now: datetime, report: Report) -> None:
    """Close a session that was read again to its end, or give it up after a day."""
    feeds = list(session.feeds.all())
    to_sweep = [gap for feed in feeds for gap in feed.swept.gaps(session.window)]
    is_too_late = now >= session.end_time + GIVE_UP_AFTER
    if to_sweep and not is_too_late:
        return
    open_session = Session.objects.filter(pk=session.pk, closed_at=None)
    if not open_session.update(closed_at=now, given_up=bool(to_sweep)):
        return  # another host was faster, and told
    if to_sweep:
        gaps = [gap for feed in feeds for gap in feed.coverage.gaps(session.window)]
        report(session_given_up(session, sum(gap.seconds for gap in gaps)))
    else:
        report(session_closed(session))


def _waiting(now: datetime, settings: Settings) -> FeedQuerySet:
    return Feed.objects.waiting(now, timedelta(seconds=settings.backoff_cap_s) + TICK_SLACK)


def _sentence(
    sessions: list[Session], poll_run: PollRun | None, now: datetime, settings: Settings
) -> str:
    names = " and ".join(
        f"Session {session.pk} «{session.title}» is {'live' if session.end_time > now else 'over'}"
        for session in sessions
    )
    if poll_run and poll_run.polls:
        windows = "1 window" if poll_run.polls == 1 else f"{poll_run.polls} windows"
        failed = f" ({poll_run.failed} failed)" if poll_run.failed else ""
        return f"{names}; {windows}{failed}, {poll_run.tally}, in {poll_run.seconds():.1f} s."
    waiting = (
        _waiting(now, settings).filter(session__in=sessions).order_by("next_attempt_at").first()
    )
    if waiting and waiting.next_attempt_at:
        return (
            f"{names}; waiting until {waiting.next_attempt_at:%H:%M:%S} UTC after "
            f"{waiting.failures} failed polls ({waiting.error_kind})."
        )
    return f"{names}; nothing is due yet."

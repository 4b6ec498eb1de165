"""The use case of `poll_recent_messages`: poll the live session, close those that are over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from messages_app.database.bounded import unless_locked
from messages_app.database.clock import Clocks
from messages_app.environment import Settings
from messages_app.errors import ConfigurationError
from messages_app.events import Report, RunOutcome, sessions_overlap
from messages_app.gate import idle_sentence
from messages_app.models import Feed, FeedQuerySet, Session
from messages_app.polling.clock_check import check_clocks, check_synchronisation
from messages_app.polling.closing import close
from messages_app.polling.leases import release_dead
from messages_app.polling.obstacles import regain
from messages_app.polling.rewinding import reopen_closed_early, rewind_feeds
from messages_app.polling.run_folder import Run
from messages_app.polling.turns import PollRun
from messages_app.scheduling import set_channels

# A tick that comes this much early still counts: timers and clocks are not exact.
TICK_SLACK = timedelta(seconds=2)


def poll_recent(
    settings: Settings,
    environ: Mapping[str, str],
    clocks: Clocks,
    report: Report,
    *,
    ignore_backoff: bool = False,
) -> RunOutcome:
    """Do one poll; raise ConfigurationError where something is due and cannot be done."""
    now, latest_now = clocks.earliest(), clocks.latest()
    reopen_closed_early(latest_now, report)
    live, over, closed = _due(now)
    if live or over or closed or any(_due(latest_now)):
        check_clocks(clocks, settings.overlap_s, report)
    if len(live) > 1:
        report(sessions_overlap(live[0], live[1:]))
    due = [*live[:1], *over, *closed]
    if not due:
        coming = Session.objects.coming(now).first()
        return RunOutcome(idle_sentence(str(coming.start_time) if coming else None))
    for session in due:
        feeds = list(session.feeds.all())
        if session in live and feeds and not any(feed.polled_at for feed in feeds):
            check_synchronisation(environ, settings.closing_delay_s, report)
        if not session.closed_at:
            rewind_feeds(feeds, latest_now)
        if feeds:
            continue
        set_channels(session, settings.channels)
        if settings.channels or session not in live:
            continue
        raise ConfigurationError(
            f"Session {session.pk} has no channels: add them with `session edit {session.pk} "
            "--channel ID`, or set POLLER_CHANNELS."
        )
    with Run.of(settings) as run:
        release_dead(run)
        to_poll = _feeds_to_poll(due, now, settings, ignore_backoff=ignore_backoff)
        poll_run = PollRun(settings, environ, run, clocks.earliest, report) if to_poll else None
        if poll_run:
            poll_run.poll(to_poll)
        for session in over:
            progress = poll_run.progress.get(session.pk) if poll_run else None
            with unless_locked():
                close(session.pk, clocks.earliest(), report, progress=progress)
        for session in closed:
            regain(session)
    return RunOutcome(_sentence(due, poll_run, now, settings), poll_run.status if poll_run else 0)


def _due(now: datetime) -> tuple[list[Session], list[Session], list[Session]]:
    """The sessions that are live, to be closed, and to be read again though they are closed."""
    return (
        list(Session.objects.live(now)),
        list(Session.objects.to_close(now)),
        list(Session.objects.to_read_again(now)),
    )


def _feeds_to_poll(
    sessions: list[Session], now: datetime, settings: Settings, *, ignore_backoff: bool
) -> list[Feed]:
    """The sessions' feeds in their order, but for those that back off."""
    feeds: list[Feed] = []
    for session in sessions:
        mine = session.feeds.select_related("session", "channel").least_recently_polled_first()
        if not ignore_backoff:
            mine = mine.exclude(pk__in=_waiting(now + TICK_SLACK, settings))
        feeds += mine.prefetch_related("obstacles")
    return feeds


def _waiting(now: datetime, settings: Settings) -> FeedQuerySet:
    return Feed.objects.waiting(now, timedelta(seconds=settings.backoff_cap_s) + TICK_SLACK)


def _state(session: Session, now: datetime) -> str:
    if session.closed_at:
        return "read again where the exporter failed"
    return "live" if session.end_time > now else "over"


def _sentence(
    sessions: list[Session], poll_run: PollRun | None, now: datetime, settings: Settings
) -> str:
    names = " and ".join(
        f"Session {session.pk} «{session.title}» is {_state(session, now)}" for session in sessions
    )
    if poll_run and poll_run.polls:
        windows = "1 window" if poll_run.polls == 1 else f"{poll_run.polls} windows"
        failed = f" ({poll_run.failed} failed)" if poll_run.failed else ""
        return f"{names}; {windows}{failed}, {poll_run.tally}, in {poll_run.seconds():.1f} s."
    waiting = (
        _waiting(now, settings).filter(session__in=sessions).order_by("next_attempt_at").first()
    )
    if waiting and waiting.failures and waiting.next_attempt_at:
        polls = "1 failed poll" if waiting.failures == 1 else f"{waiting.failures} failed polls"
        return (
            f"{names}; waiting until {waiting.next_attempt_at:%H:%M:%S} UTC after {polls} "
            f"({waiting.error_kind})."
        )
    return f"{names}; nothing is due yet."

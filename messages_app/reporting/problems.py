"""What is wrong with a situation: the rules behind `status`, its exit status and its remedies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from messages_app.errors import ConfigurationError, PollerError, TokenRefused, Unproved
from messages_app.models import Phase, Session
from messages_app.reporting.feeds import FeedState
from messages_app.reporting.sessions import duration
from messages_app.reporting.situation import Problem, SessionState, Situation, Verdict
from messages_app.reporting.timer import TimerState
from messages_app.windows import PERIOD_S

# A live feed is late after four polls without a covered window, and stale after ten.
LATE_S = 4 * PERIOD_S
STALE_S = 10 * PERIOD_S
# How long closing a session may take before it is worth a word.
CLOSING_PATIENCE = timedelta(minutes=15)
# Exit statuses of a run that the next tick cannot mend.
_NEEDS_A_PERSON = (PollerError.status, TokenRefused.status, ConfigurationError.status)


def problems_of(situation: Situation, fallback_channels: Sequence[int]) -> list[Problem]:
    """All that is wrong, the worst first; `fallback_channels` are those of POLLER_CHANNELS."""
    found = [
        *_timer_problems(situation),
        *_last_run_problems(situation),
        *_session_problems(situation, fallback_channels),
    ]
    return sorted(found, key=lambda problem: -problem.severity)


def verdict_of(problems: Sequence[Problem]) -> Verdict:
    """The worst of them."""
    return max((problem.severity for problem in problems), default=Verdict.HEALTHY)


def _timer_problems(situation: Situation) -> Iterator[Problem]:
    state = situation.timer.state
    if state == TimerState.DEAD:
        yield Problem(
            Verdict.BROKEN,
            "poller.timer is enabled but will NEVER FIRE AGAIN: run `systemctl restart "
            "poller.timer`; if it stays so, its OnBootSec= is missing (`systemctl cat "
            "poller.timer`).",
        )
    is_due = any(each.phase in (Phase.LIVE, Phase.OVER) for each in situation.sessions)
    if state == TimerState.STOPPED:
        yield Problem(
            Verdict.BROKEN if is_due else Verdict.DEGRADED,
            "poller.timer is enabled but stopped, nothing is polled before the next boot: run "
            "`systemctl start poller.timer`.",
        )
    if state == TimerState.OFF and (is_due or situation.coming) and not _is_polled(situation):
        yield Problem(
            Verdict.BROKEN if is_due else Verdict.DEGRADED,
            "poller.timer is off although a session is scheduled: run `systemctl enable --now "
            "poller.timer`.",
        )


def _is_polled(situation: Situation) -> bool:
    """Whether someone else, another host or a person, keeps the live session fresh."""
    feeds = situation.live.feeds if situation.live else []
    return bool(feeds) and all(feed.lag_s < LATE_S for feed in feeds)


def _last_run_problems(situation: Situation) -> Iterator[Problem]:
    timer = situation.timer
    if timer.last_result in ("", "success"):
        return
    how = f"status {timer.last_status}" if timer.last_status is not None else timer.last_result
    yield Problem(
        Verdict.BROKEN if timer.last_status in _NEEDS_A_PERSON else Verdict.DEGRADED,
        f"The last run of poller.service ended with {how}: "
        + (timer.last_sentence or "`journalctl -x -u poller -n 20` tells why."),
    )


def _session_problems(situation: Situation, fallback_channels: Sequence[int]) -> Iterator[Problem]:
    live = [each for each in situation.sessions if each.phase is Phase.LIVE]
    for other in live[1:]:
        yield Problem(
            Verdict.DEGRADED,
            f"Session {other.session.pk} «{other.session.title}» is live too and is not polled "
            f"before session {live[0].session.pk} is over: edit or end one of them.",
        )
    for each in live[:1]:
        yield from _live_problems(each, fallback_channels)
    for each in situation.sessions:
        if each.phase is Phase.OVER:
            yield from _closing_problems(each, situation, fallback_channels)
        elif each.phase is Phase.GIVEN_UP:
            yield _given_up(each)


def _live_problems(live: SessionState, fallback_channels: Sequence[int]) -> Iterator[Problem]:
    if not live.feeds and not fallback_channels:
        yield Problem(Verdict.BROKEN, _without_channels(live.session, "is live"))
    yield from _token_problems(live.feeds)
    stale = [feed for feed in live.feeds if feed.lag_s > STALE_S]
    if stale and len(stale) == len(live.feeds):
        behind = duration(timedelta(seconds=min(feed.lag_s for feed in stale)))
        yield Problem(
            Verdict.BROKEN,
            f"Nothing new of session {live.session.pk} has been read for {behind}: see the feeds, "
            "then `journalctl -u poller`.",
        )
    for feed in live.feeds:
        yield from _feed_problems(feed)


def _without_channels(session: Session, state: str) -> str:
    return (
        f"Session {session.pk} {state} and has no channels: add them with `session edit "
        f"{session.pk} --channel ID`."
    )


def _token_problems(feeds: Sequence[FeedState]) -> Iterator[Problem]:
    refused = [feed for feed in feeds if feed.error_kind == TokenRefused.kind]
    if refused:
        yield Problem(Verdict.BROKEN, refused[0].error)


def _feed_problems(feed: FeedState) -> Iterator[Problem]:
    where = _where(feed)
    yield from _failures(feed)
    if feed.lag_s > LATE_S and not feed.failures:
        behind = duration(timedelta(seconds=feed.lag_s))
        yield Problem(Verdict.DEGRADED, f"{where} is {behind} behind: see `journalctl -u poller`.")
    if feed.gaps:
        yield Problem(
            Verdict.DEGRADED,
            f"{where} lacks {duration(timedelta(seconds=feed.gap_s))}: the next polls fill it, or "
            f"`session show {feed.session_id}` tells why not.",
        )


def _failures(feed: FeedState) -> Iterator[Problem]:
    if feed.sight_lost_at:
        yield Problem(
            Verdict.DEGRADED,
            f"{_where(feed)} shows messages without their texts since "
            f"{feed.sight_lost_at:%Y-%m-%d %H:%M} UTC: switch the Message Content intent of the "
            "bot on in Discord's developer portal; what is stored stays.",
        )
    if feed.failures and feed.error_kind != TokenRefused.kind:
        times = "once" if feed.failures == 1 else f"{feed.failures} times in a row"
        yield Problem(Verdict.DEGRADED, f"{_where(feed)} failed {times}: {feed.error}")


def _where(feed: FeedState) -> str:
    name = f"#{feed.channel_name} ({feed.channel_id})" if feed.channel_name else feed.name
    return f"Channel {name} of session {feed.session_id}"


def _closing_problems(
    closing: SessionState, situation: Situation, fallback_channels: Sequence[int]
) -> Iterator[Problem]:
    if not closing.feeds:
        if not fallback_channels:
            yield Problem(Verdict.DEGRADED, _without_channels(closing.session, "is over"))
        return
    yield from _token_problems(closing.feeds)
    for feed in closing.feeds:
        yield from _failures(feed)
    over_for = situation.now - closing.session.end_time
    if over_for < CLOSING_PATIENCE:
        return
    left_s = sum(feed.unswept_s for feed in closing.feeds)
    yield Problem(
        Verdict.DEGRADED,
        f"Session {closing.session.pk} «{closing.session.title}» has been over for "
        f"{duration(over_for)} and {duration(timedelta(seconds=left_s))} of it is still to be read "
        "again: see its feeds.",
    )


def _given_up(each: SessionState) -> Problem:
    if not each.feeds:
        return Problem(Verdict.DEGRADED, _without_channels(each.session, "was given up"))
    number, gap_s = each.session.pk, sum(feed.gap_s for feed in each.feeds)
    if unproved := [feed.name for feed in each.feeds if feed.error_kind == Unproved.kind]:
        return Problem(
            Verdict.DEGRADED,
            f"Session {number} «{each.session.title}» was given up, for nothing proves that "
            f"{', '.join(unproved)} may be read: give its reader Read Message History, then fill "
            f"it with `import_messages --start … --end … --session {number}`.",
        )
    return Problem(
        Verdict.DEGRADED,
        f"Session {number} «{each.session.title}» was given up with gaps of "
        f"{duration(timedelta(seconds=gap_s))}: `session show {number}` lists them, and "
        f"`import_messages --start … --end … --session {number}` fills them.",
    )

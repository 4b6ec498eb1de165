"""The situation as JSON, under the schema in docs/status.schema.json."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from messages_app.exporter.choice import Choice
from messages_app.models import Filling, Phase, Poll, Session
from messages_app.reporting.feeds import FeedState
from messages_app.reporting.situation import Problem, Situation, Verdict
from messages_app.reporting.timer import TimerHealth
from messages_app.tally import Tally
from messages_app.version import VERSION

# Raised when a key goes or changes its meaning; new keys may come without that.
SCHEMA = 1
# The sessions that are shown, in the words of the schema.
STATES = {Phase.LIVE: "live", Phase.OVER: "closing", Phase.GIVEN_UP: "given-up"}


def status_document(
    situation: Situation, problems: Sequence[Problem], verdict: Verdict, exporter: Choice
) -> dict[str, Any]:
    """Everything that the screen shows. Ids are texts, since JavaScript rounds 64-bit numbers."""
    return {
        **_head(situation.now, verdict, problems),
        "backlog_s": situation.backlog_s,
        "sessions": [
            {
                **_session(each.session),
                "state": STATES[each.phase],
                "feeds": [_feed(feed) for feed in each.feeds],
            }
            for each in situation.sessions
        ],
        "coming": _session(situation.coming) if situation.coming else None,
        "timer": _timer(situation.timer),
        "exporter": {"name": exporter.name, "why": exporter.why},
        "polls": [_poll(poll) for poll in situation.polls],
        "filling": _filling(situation.filling),
    }


def broken_document(now: datetime, sentence: str) -> dict[str, Any]:
    """What is left to say where the database cannot be asked."""
    return _head(now, Verdict.BROKEN, [Problem(Verdict.BROKEN, sentence)])


def _head(now: datetime, verdict: Verdict, problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "now": now.isoformat(),
        "verdict": verdict.name.lower(),
        "problems": [
            {"severity": problem.severity.name.lower(), "sentence": problem.sentence}
            for problem in problems
        ],
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "id": session.pk,
        "title": session.title,
        "start": session.start_time.isoformat(),
        "end": session.end_time.isoformat(),
    }


def _feed(feed: FeedState) -> dict[str, Any]:
    return {
        "channel_id": str(feed.channel_id),
        "channel": feed.channel_name,
        "covered_to": feed.covered_to.isoformat(),
        "lag_s": feed.lag_s,
        "gap_s": feed.gap_s,
        "gaps": [{"start": gap.start.isoformat(), "end": gap.end.isoformat()} for gap in feed.gaps],
        "unswept_s": feed.unswept_s,
        "failures": feed.failures,
        "next_attempt_at": _instant(feed.next_attempt_at),
        "error_kind": feed.error_kind,
        "error": feed.error,
        "lease_holder": feed.lease_holder,
    }


def _poll(poll: Poll) -> dict[str, Any]:
    return {
        "session": poll.feed.session_id if poll.feed else None,
        "channel_id": str(poll.channel_id),
        "purpose": poll.purpose,
        "window": {"start": poll.window_start.isoformat(), "end": poll.window_end.isoformat()},
        "started_at": poll.started_at.isoformat(),
        "duration_s": poll.duration_ms / 1000,
        "exporter_s": poll.exporter_ms / 1000,
        "succeeded": poll.succeeded,
        "error_kind": poll.error_kind,
        "error": poll.error,
        "messages": _messages(poll.tally),
        "host": poll.host,
        "invocation_id": poll.invocation_id,
    }


def _messages(tally: Tally) -> dict[str, int]:
    counts = {**tally._asdict(), "otherwise_changed": tally.otherwise_changed}
    del counts["blank"]  # no poll's record has it
    return counts


def _filling(filling: Filling | None) -> dict[str, int] | None:
    if filling is None:
        return None
    return {"messages": filling.messages, "filled": filling.filled}


def _timer(timer: TimerHealth) -> dict[str, Any]:
    return {
        "state": timer.state.value,
        "next_elapse": _instant(timer.next_elapse),
        "last_run": _instant(timer.last_run),
        "last_result": timer.last_result,
        "last_status": timer.last_status,
        "last_sentence": timer.last_sentence,
    }


def _instant(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None

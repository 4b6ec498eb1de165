"""What is told of a run: one event each, with its kind, priority, sentence and fields.

The message ids are those of systemd/discord-poller.catalog. No event holds the token, a message's
text or a user's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from messages_app.errors import PollerError
from messages_app.models import Feed, Poll, Session

POLL_DONE = "917c85113be041feb9cdeeb04816c39d"
SESSIONS_OVERLAP = "9718b75e5a194b909d4cfd730122b123"
LEASED_ELSEWHERE = "852e73dad3314f049cf9d008929ed4a9"
SESSION_CLOSED = "f20c466f2e704b1e850f1ed576e2adbe"
SESSION_GIVEN_UP = "ac287eb55df544938c5a1f4ea837d5f0"
RUN_DONE = "5bb4649b64f5463c9b748c2cb26e80e1"
PING_FAILED = "06a524df217c43579f671b21d5695658"
TEXTFILE_FAILED = "fa4882a5f0464ebb867001afffa7bcd8"

# syslog's priorities
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6


class Event(NamedTuple):
    """Something that happened; `fields` are the journal's, in capitals."""

    message_id: str
    priority: int
    sentence: str
    fields: Mapping[str, str]


Report = Callable[[Event], None]


def poll_done(poll: Poll) -> Event:
    """A window was imported whole."""
    return Event(POLL_DONE, INFO, _poll_sentence(poll), _poll_fields(poll, "done"))


def poll_failed(poll: Poll, failure: PollerError) -> Event:
    """A window was not proved complete."""
    return Event(
        failure.message_id,
        WARNING if failure.status in (69, 75) else ERROR,
        f"{_poll_sentence(poll)} — {failure}",
        _poll_fields(poll, "failed") | {"ERROR_KIND": failure.kind},
    )


def run_failed(failure: PollerError) -> Event:
    """The run ended with an error that is not one feed's."""
    fields = {"OUTCOME": "failed", "ERROR_KIND": failure.kind}
    return Event(failure.message_id, ERROR, str(failure), fields)


def run_done(sentence: str) -> Event:
    """The run's outcome in one line."""
    return Event(RUN_DONE, INFO, sentence, {"OUTCOME": "done"})


def sessions_overlap(taken: Session, others: list[Session]) -> Event:
    """Several sessions are live."""
    names = ", ".join(f"session {session.pk}" for session in others)
    return Event(
        SESSIONS_OVERLAP,
        WARNING,
        f"Several sessions are live: session {taken.pk} is polled since it starts first, {names} "
        "not; edit or end the others.",
        {"SESSION_ID": str(taken.pk)},
    )


def leased_elsewhere(feed: Feed) -> Event:
    """A feed is left to the run that works on it."""
    return Event(
        LEASED_ELSEWHERE,
        INFO,
        f"Session {feed.session_id}, channel {feed.channel_id}: run {feed.lease_holder} is "
        "working on it.",
        {
            "SESSION_ID": str(feed.session_id),
            "CHANNEL_ID": str(feed.channel_id),
            "LEASE_HOLDER": feed.lease_holder,
        },
    )


def session_closed(session: Session) -> Event:
    """A session was swept and closed."""
    return Event(
        SESSION_CLOSED,
        NOTICE,
        f"Session {session.pk} «{session.title}» is closed: covered whole and read again.",
        {"SESSION_ID": str(session.pk)},
    )


def session_given_up(session: Session, gap_s: float) -> Event:
    """A session could not be closed within a day."""
    return Event(
        SESSION_GIVEN_UP,
        ERROR,
        f"Session {session.pk} «{session.title}» is given up a day after its end with gaps of "
        f"{gap_s:.0f} s: `session show {session.pk}` lists them, and `import_messages --start … "
        f"--end … --session {session.pk}` fills them.",
        {"SESSION_ID": str(session.pk)},
    )


def ping_failed(problem: str) -> Event:
    """The dead-man's switch could not be reached; it will raise its alarm if this goes on."""
    return Event(
        PING_FAILED,
        WARNING,
        f"The ping to POLLER_PING_URL was not delivered ({problem}): check the address and the "
        "network; the poll is not concerned.",
        {},
    )


def textfile_failed(path: str, error: Exception) -> Event:
    """The metrics' file could not be written."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Event(
        TEXTFILE_FAILED,
        WARNING,
        f"The metrics cannot be written to {path} ({reason}): check POLLER_METRICS_TEXTFILE and "
        "who may write its folder; the poll is not concerned.",
        {},
    )


def _poll_sentence(poll: Poll) -> str:
    session = f"Session {poll.feed.session_id}" if poll.feed else "No session"
    return (
        f"{session}, channel {poll.channel_id}, "
        f"{poll.get_purpose_display()} {poll.window}: {poll.tally} in "
        f"{poll.duration_ms / 1000:.1f} s"
    )


def _poll_fields(poll: Poll, outcome: str) -> dict[str, str]:
    return {
        "OUTCOME": outcome,
        "SESSION_ID": str(poll.feed.session_id) if poll.feed else "",
        "CHANNEL_ID": str(poll.channel_id),
        "PURPOSE": poll.purpose,
        "WINDOW_START": poll.window_start.isoformat(),
        "WINDOW_END": poll.window_end.isoformat(),
        "MESSAGES_READ": str(poll.messages_read),
        "MESSAGES_NEW": str(poll.messages_new),
        "MESSAGES_EDITED": str(poll.messages_edited),
        "MESSAGES_DELETED": str(poll.messages_deleted),
        "MESSAGES_UNCHANGED": str(poll.messages_unchanged),
        "DURATION_MS": str(poll.duration_ms),
        "EXPORTER_MS": str(poll.exporter_ms),
    }

"""What is told of a run: one event each, with its kind, priority, sentence and fields.

The message ids are those of systemd/discord-poller.catalog. No event holds the token, a message's
text or a user's name.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from messages_app.errors import Bug, ExporterFailed, PollerError, TimeLimitReached, Unproved
from messages_app.models import Feed, Obstacle, Poll, Session

POLL_DONE = "917c85113be041feb9cdeeb04816c39d"
SESSIONS_OVERLAP = "9718b75e5a194b909d4cfd730122b123"
LEASED_ELSEWHERE = "852e73dad3314f049cf9d008929ed4a9"
SESSION_CLOSED = "f20c466f2e704b1e850f1ed576e2adbe"
SESSION_GIVEN_UP = "ac287eb55df544938c5a1f4ea837d5f0"
SESSION_REOPENED = "b0d7f1c2c5d94c0b8f6f4d6a2e7a9c31"
CLOCK_UNSYNCHRONISED = "a2f58c0e3c1b4f5d8e0b7d9c6a41f7b3"
SIGHT_LOST = "e1f0a1c7a84b4f1db0c6a5d27c3be904"
CLOCKS_DIFFER = "4c1d9e60d7a84f0aa7f35f1be2c7d1e4"
RUN_DONE = "5bb4649b64f5463c9b748c2cb26e80e1"
OBSTACLE_FOUND = "a76baeec99dacb2e3be06746119ffd66"
OBSTACLE_OVERCOME = "e645cba7607374f3c6b48974d49d1901"
PING_FAILED = "06a524df217c43579f671b21d5695658"
TEXTFILE_FAILED = "fa4882a5f0464ebb867001afffa7bcd8"

# syslog's priorities
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6
# Exit statuses of what the next poll may find gone by itself.
_PASSING = (ExporterFailed.status, TimeLimitReached.status)


class Event(NamedTuple):
    """Something that happened; `fields` are the journal's, in capitals."""

    message_id: str
    priority: int
    sentence: str
    fields: Mapping[str, str]


Report = Callable[[Event], None]


@dataclass(frozen=True)
class RunOutcome:
    """What a run came to: one line, and the exit status."""

    sentence: str
    status: int = 0


def poll_done(poll: Poll) -> Event:
    """A window was imported whole."""
    return Event(POLL_DONE, INFO, _poll_sentence(poll), _poll_fields(poll, "done"))


def poll_failed(poll: Poll, failure: PollerError) -> Event:
    """A window was not proved complete."""
    return Event(
        failure.message_id,
        WARNING if failure.status in _PASSING else ERROR,
        f"{_poll_sentence(poll)} — {failure}{_traceback(failure)}",
        _poll_fields(poll, "failed") | {"ERROR_KIND": failure.kind},
    )


def feed_failed(feed: Feed, failure: PollerError) -> Event:
    """Something went wrong with a feed before or after its export."""
    return Event(
        failure.message_id,
        WARNING if failure.status in _PASSING else ERROR,
        f"Session {feed.session_id}, channel {feed.channel_id} — {failure}{_traceback(failure)}",
        {
            "OUTCOME": "failed",
            "SESSION_ID": str(feed.session_id),
            "CHANNEL_ID": str(feed.channel_id),
            "ERROR_KIND": failure.kind,
        },
    )


def _traceback(failure: PollerError) -> str:
    """The way to a bug, in lines of their own, without values: they can be of a message."""
    lines = []
    error = failure.__cause__ if isinstance(failure, Bug) else None
    while error:
        frames = "".join(traceback.format_tb(error.__traceback__))
        lines.append(f"\nTraceback of {type(error).__name__}:\n{frames.rstrip()}")
        error = error.__cause__ or error.__context__
    return "".join(lines)


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
    """A day of attempts got no further with a session."""
    return Event(
        SESSION_GIVEN_UP,
        ERROR,
        f"Session {session.pk} «{session.title}» is given up after a day of attempts that got no "
        f"further, with gaps of {gap_s:.0f} s: `session show {session.pk}` lists them, and "
        f"`import_messages --start … --end … --session {session.pk}` fills them.",
        {"SESSION_ID": str(session.pk)},
    )


def session_unproved(session: Session, channel_ids: Sequence[int]) -> Event:
    """A session is given up, for nothing proves that channels may be read."""
    channels = "channel" if len(channel_ids) == 1 else "channels"
    names = ", ".join(map(str, channel_ids))
    return Event(
        SESSION_GIVEN_UP,
        ERROR,
        f"Session {session.pk} «{session.title}» is given up as unproved: for a day nothing has "
        f"proved that {channels} {names} may be read; with the permission Read Message History, or "
        f"with the built-in exporter, `import_messages --start … --end … --session {session.pk}` "
        "reads it again.",
        {"SESSION_ID": str(session.pk), "ERROR_KIND": Unproved.kind},
    )


def session_reopened(session: Session, closed_at: datetime, now: datetime) -> Event:
    """A session was closed by a clock that was ahead."""
    return Event(
        SESSION_REOPENED,
        WARNING,
        f"Session {session.pk} «{session.title}» is opened again: it was closed at "
        f"{closed_at:%Y-%m-%d %H:%M:%S} UTC, and it is only {now:%Y-%m-%d %H:%M:%S} UTC; "
        "`doctor` checks the clock.",
        {"SESSION_ID": str(session.pk)},
    )


def clocks_differ(sentence: str) -> Event:
    """The clocks of this host and of the database differ by seconds."""
    return Event(CLOCKS_DIFFER, WARNING, sentence, {})


def clock_unsynchronised(closing_delay_s: float) -> Event:
    """Nothing keeps this host's clock right, and there is no other to compare it with."""
    return Event(
        CLOCK_UNSYNCHRONISED,
        WARNING,
        "The system says that nothing keeps this host's clock right: a session that ends while it "
        f"is ahead by more than {closing_delay_s:g} s (POLLER_CLOSING_DELAY) may lack its last "
        "messages; have it synchronised (`timedatectl set-ntp true`).",
        {},
    )


def session_without_channels(session: Session) -> Event:
    """A session is given up, for it has no channels."""
    return Event(
        SESSION_GIVEN_UP,
        ERROR,
        f"Session {session.pk} «{session.title}» is given up a day after its end, for it has no "
        f"channels: `session edit {session.pk} --channel ID` adds one and opens it again.",
        {"SESSION_ID": str(session.pk)},
    )


def session_closed_around(session: Session, gap_s: float) -> Event:
    """A session is closed, but for what the exporter cannot read."""
    return Event(
        SESSION_GIVEN_UP,
        WARNING,
        f"Session {session.pk} «{session.title}» is closed but for {gap_s:g} s that the exporter "
        f"cannot read: `session show {session.pk}` lists them; they are tried again daily.",
        {"SESSION_ID": str(session.pk)},
    )


def sight_lost(feed: Feed) -> Event:
    """An export shows messages without the texts that they had, for the first time."""
    return Event(
        SIGHT_LOST,
        WARNING,
        f"Session {feed.session_id}, channel {feed.channel_id}: messages are shown without the "
        "texts and files that they had; what is stored stays, but new ones come without: switch "
        "the Message Content intent of the bot on in Discord's developer portal.",
        {"SESSION_ID": str(feed.session_id), "CHANNEL_ID": str(feed.channel_id)},
    )


def obstacle_found(obstacle: Obstacle) -> Event:
    """A message that the exporter cannot parse was found, and is read around."""
    return Event(
        OBSTACLE_FOUND,
        WARNING,
        f"{_where(obstacle)}: the exporter cannot parse a message («{obstacle.words}»), and it is "
        f"read around: {obstacle.gap} is left out, and tried again daily and after "
        "`install-exporter`.",
        _fields_of(obstacle),
    )


def obstacle_overcome(obstacle: Obstacle) -> Event:
    """What the exporter could not parse was read after all."""
    return Event(
        OBSTACLE_OVERCOME,
        NOTICE,
        f"{_where(obstacle)}: {obstacle.gap} was read after all, nothing is left out there.",
        _fields_of(obstacle),
    )


def _where(obstacle: Obstacle) -> str:
    feed = obstacle.feed
    return f"Session {feed.session_id}, channel {feed.channel_id}"


def _fields_of(obstacle: Obstacle) -> dict[str, str]:
    gap = obstacle.gap
    return {
        "SESSION_ID": str(obstacle.feed.session_id),
        "CHANNEL_ID": str(obstacle.feed.channel_id),
        "WINDOW_START": gap.start.isoformat() if gap else "",
        "WINDOW_END": gap.end.isoformat() if gap else "",
    }


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
    # Of a poll that failed, a row of zeros tells nobody anything.
    counts = "nothing read" if poll.error and not poll.messages_read else str(poll.tally)
    return (
        f"{session}, channel {poll.channel_id}, "
        f"{poll.get_purpose_display()} {poll.window}: {counts} in "
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
        "EXPORTER": poll.exporter or "",
    }

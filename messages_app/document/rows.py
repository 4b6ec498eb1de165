"""A message as the row that stores it, in values that any database's driver takes.

Nothing of Django is imported here.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from messages_app.document.message import ExportedMessage

# The values of a MessageRow without the names, which would make it twice as costly to pass on.
Row = tuple[Any, ...]


class MessageRow(NamedTuple):
    """The columns of the table, in the order of a Row; times as `time_text` writes them.

    `changed_at` is the latest instant at which the message is known to have looked like this.
    """

    discord_id: int
    channel_id: int
    type: str
    timestamp: str
    edited_at: str | None
    author_id: int | None
    author_name: str
    content: str
    has_attachments: bool
    fingerprint: int
    changed_at: str
    raw: str


COLUMNS = MessageRow._fields


def rows_of(
    messages: Iterable[ExportedMessage], channel_id: int, seen_at: datetime | None
) -> list[Row]:
    """The rows of messages that were seen at `seen_at`, None where the export does not say when."""
    seen = seen_at and time_text(seen_at)
    rows = []
    for message in messages:
        posted = time_text(message.timestamp)
        edited = time_text(message.edited_at) if message.edited_at else None
        rows.append(
            (
                message.discord_id,
                channel_id,
                message.type,
                posted,
                edited,
                message.author_id,
                message.author_name,
                message.content,
                message.has_attachments,
                message.fingerprint,
                seen or edited or posted,
                message.raw,
            )
        )
    return rows


def time_text(moment: datetime) -> str:
    """Write a time in UTC as Django writes it into SQLite; PostgreSQL's sessions are in UTC, too.

    It takes a tenth of what Django's own way takes.
    """
    return moment.isoformat(" ").removesuffix("+00:00")


def time_of(text: str) -> datetime:
    """The time that `time_text` wrote."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)

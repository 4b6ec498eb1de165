"""The upsert: writes the messages of an export into the database, and only what differs.

Each batch is one look at what is stored and one statement, per database engine. The caller owns
the transaction, so that coverage can move in the one that stores the messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from messages_app.errors import ExportUnusable
from messages_app.export_file import ExportedMessage, ExportHeader
from messages_app.models import Channel, Message, Revision
from messages_app.search import index_new
from messages_app.tally import Tally
from messages_app.windows import Window

# Large enough that a statement's overhead vanishes, small enough that memory stays flat.
BATCH_SIZE = 1000

COLUMNS = (
    "discord_id",
    "channel_id",
    "type",
    "timestamp",
    "edited_at",
    "author_id",
    "author_name",
    "content",
    "has_attachments",
    "fingerprint",
    "changed_at",
    "raw",
)


class Observation(NamedTuple):
    """When and how an export saw its channel.

    An export of our own shows the channel as it is now, and the lease keeps its polls in order. A
    file shows it as it once was (`is_history`): it adds what is missing, but what the database
    learned later stays. `exported_at` is None for a file that does not say when it was made.
    """

    exported_at: datetime | None
    is_history: bool = False

    def of(self, message: ExportedMessage) -> datetime:
        """The latest instant at which `message` is known to have looked like this."""
        return self.exported_at or message.edited_at or message.timestamp


class _Stored(NamedTuple):
    fingerprint: int
    deleted_at: datetime | None
    changed_at: datetime


def in_batches(messages: Iterable[ExportedMessage]) -> Iterator[list[ExportedMessage]]:
    """Yield `messages` in batches without repeated ids (the last one counts).

    Where reading fails midway, what was read before is yielded first, then the error goes on.
    """
    batch: dict[int, ExportedMessage] = {}
    failure = None
    try:
        for message in messages:
            batch[message.discord_id] = message
            if len(batch) == BATCH_SIZE:
                yield list(batch.values())
                batch.clear()
    except ExportUnusable as error:
        failure = error
    if batch:
        yield list(batch.values())
    if failure:
        raise failure


def store_channel(header: ExportHeader, observation: Observation) -> None:
    """Make the export's channel known, under the names that the newest export shows."""
    names = {
        "name": header.channel_name[:200],
        "category": header.category[:200],
        "guild_id": header.guild_id,
        "guild_name": header.guild_name[:200],
    }
    channel, is_new = Channel.objects.get_or_create(pk=header.channel_id, defaults=names)
    is_renamed = any(getattr(channel, name) != value for name, value in names.items())
    if is_renamed and not is_new and not (observation.is_history and channel.name):
        Channel.objects.filter(pk=channel.pk).update(**names)


def store_batch(
    batch: Sequence[ExportedMessage], channel_id: int, observation: Observation
) -> Tally:
    """Insert or update the messages of one batch, whose ids are unique; rewrite only differences.

    The former text of a message whose text differs is kept as a Revision.
    """
    stored = _stored([message.discord_id for message in batch])
    new = [message for message in batch if message.discord_id not in stored]
    changed = [
        message
        for message in batch
        if (old := stored.get(message.discord_id)) and _differs(message, old, observation)
    ]
    if changed:
        _keep_former_texts(changed, observation)
    if new or changed:
        _upsert([*new, *changed], channel_id, observation)
    index_new([message.discord_id for message in new])
    unchanged = len(batch) - len(new) - len(changed)
    return Tally(len(batch), len(new), len(changed), 0, unchanged)


def mark_deleted(channel_id: int, window: Window, seen: set[int], now: datetime) -> int:
    """Mark the channel's messages in `window` that a complete export no longer shows.

    Return how many. An export that shows nothing at all marks nothing: it is what a lost
    permission looks like, too.
    """
    if not seen:
        return 0
    shown = Message.objects.of_channels(window, [channel_id]).shown()
    gone = set(shown.values_list("discord_id", flat=True)) - seen
    if not gone:
        return 0
    return Message.objects.filter(discord_id__in=gone).update(deleted_at=now)


def _stored(ids: list[int]) -> dict[int, _Stored]:
    rows = Message.objects.filter(discord_id__in=ids).values_list(
        "discord_id", "fingerprint", "deleted_at", "changed_at"
    )
    return {row[0]: _Stored(*row[1:]) for row in rows}


def _differs(message: ExportedMessage, old: _Stored, observation: Observation) -> bool:
    if observation.is_history and observation.of(message) <= max(
        old.changed_at, old.deleted_at or old.changed_at
    ):
        return False
    return message.fingerprint != old.fingerprint or old.deleted_at is not None


def _keep_former_texts(changed: list[ExportedMessage], observation: Observation) -> None:
    texts = {message.discord_id: message for message in changed}
    former = Message.objects.filter(discord_id__in=list(texts)).values_list(
        "discord_id", "content", "edited_at"
    )
    Revision.objects.bulk_create(
        Revision(
            message_id=discord_id,
            content=content,
            edited_at=edited_at,
            replaced_at=observation.of(texts[discord_id]),
        )
        for discord_id, content, edited_at in former
        if content != texts[discord_id].content
    )


def _upsert(messages: Iterable[ExportedMessage], channel_id: int, observation: Observation) -> None:
    rows = [
        (
            message.discord_id,
            channel_id,
            message.type,
            message.timestamp,
            message.edited_at,
            message.author_id,
            message.author_name,
            message.content,
            message.has_attachments,
            message.fingerprint,
            observation.of(message),
            message.raw,
        )
        for message in messages
    ]
    table = Message._meta.db_table
    columns = ", ".join(COLUMNS)
    updates = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:])
    head = f"INSERT INTO {table} ({columns}) VALUES "  # noqa: S608 - names of our own only
    # The WHERE spares a row that another writer has meanwhile made the same.
    tail = (
        f" ON CONFLICT (discord_id) DO UPDATE SET {updates}, deleted_at = NULL"
        f" WHERE {table}.fingerprint <> excluded.fingerprint OR {table}.deleted_at IS NOT NULL"
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            from psycopg2.extras import execute_values

            execute_values(cursor, f"{head} %s {tail}", rows, page_size=BATCH_SIZE)
        else:
            values = ", ".join(["%s"] * len(COLUMNS))
            cursor.executemany(f"{head} ({values}) {tail}", [_adapted(row) for row in rows])


def _adapted(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The row with its times as Django writes them into SQLite."""
    return tuple(
        connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
        for value in row
    )

"""The upsert: writes the messages of an export into the database, and only what differs.

Each batch is one look at what is stored and one statement, per database engine. The caller owns
the transaction, so that coverage can move in the one that stores the messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction

from messages_app.copying import Row, copy_rows
from messages_app.errors import ExportUnusable
from messages_app.export_file import ExportedMessage, ExportHeader
from messages_app.models import Channel, Message, Revision
from messages_app.search import index_new
from messages_app.tally import Tally
from messages_app.windows import Window

# Large enough that a statement's overhead vanishes, small enough that memory stays flat.
BATCH_SIZE = 1000

TABLE = Message._meta.db_table
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
INSERT = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES"
ROW_OF_VALUES = f"({', '.join(['%s'] * len(COLUMNS))})"


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
    """Make the export's channel known, under the names that the newest export shows.

    The first step of every transaction that stores an export.
    """
    _take_write_lock()
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
    new, changed = [], []
    for message in batch:
        if message.discord_id not in stored:
            new.append(message)
        elif message.fingerprint != stored[message.discord_id]:
            changed.append(message)
    if changed and observation.is_history:
        changed = _without_outdated(changed, observation)
    if changed:
        _keep_former_texts(changed, observation)
        _upsert(_rows(changed, channel_id, observation))
    if new:
        _insert(_rows(new, channel_id, observation))
        index_new((message.discord_id, message.content) for message in new)
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


def _take_write_lock() -> None:
    """Wait for SQLite's one writer now, whose patience is BUSY_TIMEOUT_S.

    A transaction that began by reading fails at its first write, without any patience, where
    another writer was faster in between.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE messages_app_channel SET name = name WHERE 0")


def _stored(ids: list[int]) -> dict[int, int | None]:
    """The fingerprints of those of the messages that are stored; None where it is deleted.

    The ids are one parameter, since binding a thousand costs more than looking them up.
    """
    is_postgresql = connection.vendor == "postgresql"
    among = "= ANY(%s)" if is_postgresql else "IN (SELECT value FROM json_each(%s))"
    statement = (
        "SELECT discord_id, CASE WHEN deleted_at IS NULL THEN fingerprint END"  # noqa: S608
        f" FROM {TABLE} WHERE discord_id {among}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [ids if is_postgresql else str(ids)])
        return dict(cursor.fetchall())


def _without_outdated(
    changed: list[ExportedMessage], observation: Observation
) -> list[ExportedMessage]:
    """Those of `changed` that the file saw later than the database did."""
    stored = Message.objects.filter(discord_id__in=[message.discord_id for message in changed])
    known_at = {
        discord_id: max(changed_at, deleted_at or changed_at)
        for discord_id, changed_at, deleted_at in stored.values_list(
            "discord_id", "changed_at", "deleted_at"
        )
    }
    return [
        message for message in changed if observation.of(message) > known_at[message.discord_id]
    ]


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


def _rows(
    messages: Iterable[ExportedMessage], channel_id: int, observation: Observation
) -> list[Row]:
    """The values of COLUMNS, times as the database's driver takes them."""
    time = _as_it_is if connection.vendor == "postgresql" else sqlite_time
    exported_at = observation.exported_at and time(observation.exported_at)
    return [
        (
            message.discord_id,
            channel_id,
            message.type,
            time(message.timestamp),
            time(message.edited_at) if message.edited_at else None,
            message.author_id,
            message.author_name,
            message.content,
            message.has_attachments,
            message.fingerprint,
            exported_at or time(observation.of(message)),
            message.raw,
        )
        for message in messages
    ]


def _as_it_is(moment: datetime) -> datetime:
    return moment


def sqlite_time(moment: datetime) -> str:
    """Given a time in UTC, return it as Django writes it into SQLite, at a tenth of the cost."""
    return moment.isoformat(" ").removesuffix("+00:00")


def _insert(rows: list[Row]) -> None:
    """Insert rows that were not there a moment ago."""
    if connection.vendor != "postgresql":
        # They still are not, since SQLite's write lock is ours: a plain INSERT is the cheapest.
        with connection.cursor() as cursor:
            cursor.executemany(f"{INSERT} {ROW_OF_VALUES}", rows)
        return
    try:
        # COPY takes rows several times as fast as INSERT does, but fails where one is there.
        with transaction.atomic(), connection.cursor() as cursor:
            copy_rows(cursor, TABLE, COLUMNS, rows)
    except IntegrityError:  # another writer was faster
        _upsert(rows)


def _upsert(rows: list[Row]) -> None:
    updates = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:])
    # The WHERE spares a row that another writer has meanwhile made the same.
    tail = (
        f"ON CONFLICT (discord_id) DO UPDATE SET {updates}, deleted_at = NULL"
        f" WHERE {TABLE}.fingerprint <> excluded.fingerprint OR {TABLE}.deleted_at IS NOT NULL"
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            values = ", ".join([ROW_OF_VALUES] * len(rows))
            cursor.execute(f"{INSERT} {values} {tail}", [value for row in rows for value in row])
        else:
            cursor.executemany(f"{INSERT} {ROW_OF_VALUES} {tail}", rows)

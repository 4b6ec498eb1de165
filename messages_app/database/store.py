"""The upsert: writes the messages of an export into the database, and only what differs.

Each batch is one look at what is stored and one statement, per database engine. The caller owns
the transaction, so that coverage can move in the one that stores the messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, connection, transaction

from messages_app.copying import copy_rows
from messages_app.export_file import ExportHeader
from messages_app.models import Channel, Message, Revision
from messages_app.rows import COLUMNS, MessageRow, Row, time_of
from messages_app.search import index_new
from messages_app.tally import Tally
from messages_app.windows import Window

TABLE = Message._meta.db_table
INSERT = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES"
ROW_OF_VALUES = f"({', '.join(['%s'] * len(COLUMNS))})"
ID, CONTENT, FINGERPRINT = map(COLUMNS.index, ("discord_id", "content", "fingerprint"))


def store_channel(header: ExportHeader, *, is_history: bool = False) -> None:
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
    if is_renamed and not is_new and not (is_history and channel.name):
        Channel.objects.filter(pk=channel.pk).update(**names)


def store_batch(rows: Sequence[Row], *, is_history: bool = False) -> Tally:
    """Insert or update the messages of one batch, whose ids are unique; rewrite only differences.

    An export of our own shows the channel as it is now, and the lease keeps its polls in order. A
    file shows it as it once was (`is_history`): it adds what is missing, but what the database
    learned later stays. The former text of a message whose text differs is kept as a Revision.
    """
    stored = _stored([row[ID] for row in rows])
    new, changed = [], []
    for row in rows:
        if row[ID] not in stored:
            new.append(row)
        elif row[FINGERPRINT] != stored[row[ID]]:
            changed.append(MessageRow._make(row))
    if changed and is_history:
        changed = _without_outdated(changed)
    if changed:
        _keep_former_texts(changed)
        _upsert(changed)
    if new:
        _insert(new)
        index_new((row[ID], row[CONTENT]) for row in new)
    unchanged = len(rows) - len(new) - len(changed)
    return Tally(len(rows), len(new), len(changed), 0, unchanged)


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


def _without_outdated(changed: list[MessageRow]) -> list[MessageRow]:
    """Those of `changed` that the file saw later than the database did."""
    stored = Message.objects.filter(discord_id__in=[row.discord_id for row in changed])
    known_at = {
        discord_id: max(changed_at, deleted_at or changed_at)
        for discord_id, changed_at, deleted_at in stored.values_list(
            "discord_id", "changed_at", "deleted_at"
        )
    }
    return [row for row in changed if time_of(row.changed_at) > known_at[row.discord_id]]


def _keep_former_texts(changed: list[MessageRow]) -> None:
    newer = {row.discord_id: row for row in changed}
    former = Message.objects.filter(discord_id__in=list(newer)).values_list(
        "discord_id", "content", "edited_at"
    )
    Revision.objects.bulk_create(
        Revision(
            message_id=discord_id,
            content=content,
            edited_at=edited_at,
            replaced_at=time_of(newer[discord_id].changed_at),
        )
        for discord_id, content, edited_at in former
        if content != newer[discord_id].content
    )


def _insert(rows: Sequence[Row]) -> None:
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


def _upsert(rows: Sequence[Row]) -> None:
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

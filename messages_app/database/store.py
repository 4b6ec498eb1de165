"""The upsert: writes the messages of an export into the database, and only what differs.

Each batch is one look at what is stored and one statement, per database engine. The caller owns
the transaction, so that coverage can move in the one that stores the messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from messages_app.database.copy import copy_rows
from messages_app.database.forms import store_forms
from messages_app.database.learn import LearnedRow, channel_of, learn, mixed_of
from messages_app.database.search import index_new
from messages_app.document.rows import COLUMNS, Row, time_text
from messages_app.models import Message
from messages_app.tally import Tally
from messages_app.windows import Window

TABLE = Message._meta.db_table
INSERT = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES"
ROW_OF_VALUES = f"({', '.join(['%s'] * len(COLUMNS))})"
ID, CHANNEL, CONTENT, FINGERPRINT, CHANGED_AT = map(
    COLUMNS.index, ("discord_id", "channel_id", "content", "fingerprint", "changed_at")
)
# Each means that another writer stored one of the messages between a look and the insert.
MOST_ATTEMPTS = 5


def store_batch(
    rows: Sequence[Row],
    *,
    is_history: bool = False,
    now: datetime | None = None,
    kept: Mapping[int, Mapping[str, datetime]] | None = None,
) -> Tally:
    """Insert or update the messages of one batch, whose ids are unique; rewrite only differences.

    An export of our own is taken for what it shows, and a row that it does not change is not
    written. A file shows the channel as it once was (`is_history`), and any order of files comes
    to the same rows. Instants in the database that lie after `now` are not believed. `kept` tells
    of messages by their ids which keys were seen earlier than the row, as `Known.kept` does.
    """
    store = partial(_store, is_history=is_history, now=now, kept=kept or {})
    tally = Tally()
    for _attempt in range(MOST_ATTEMPTS - 1):
        try:
            return tally.plus(store(rows))
        except _AnotherWasFaster as conflict:
            # What the other writer stored has to be looked at, as anything that is stored.
            tally, rows = tally.plus(conflict.so_far), conflict.rows
    return tally.plus(store(rows))


class _AnotherWasFaster(Exception):
    """Rows that were not there are there now; `so_far` is what was done with the others."""

    def __init__(self, rows: Sequence[Row], so_far: Tally) -> None:
        super().__init__()
        self.rows = rows
        self.so_far = so_far


def _store(
    rows: Sequence[Row],
    *,
    is_history: bool,
    now: datetime | None,
    kept: Mapping[int, Mapping[str, datetime]],
) -> Tally:
    ids = [row[ID] for row in rows]
    stored = _stored(ids)
    mixed = mixed_of(ids) if is_history else frozenset()
    new, differing = [], []
    for row in rows:
        if row[ID] not in stored:
            new.append(row)
        elif row[ID] in mixed or not stored[row[ID]].is_shown_by(row, is_history=is_history):
            differing.append(row)
    tally = Tally(len(rows) - len(new), unchanged=len(rows) - len(new) - len(differing))
    rewritten: list[int] = []
    if differing:
        learned = learn(differing, is_history=is_history, now=now, kept=kept)
        tally = tally.plus(learned.tally)
        _update(learned.rows)
        learned.store()
        rewritten = [learned_row.row[ID] for learned_row in learned.rows]
    if new:
        try:
            _insert(new)
        except IntegrityError:
            store_forms(differing, rewritten)
            raise _AnotherWasFaster(new, tally) from None
        index_new((row[ID], row[CONTENT]) for row in new)
        tally = tally.plus(Tally(len(new), len(new)))
    store_forms(rows, rewritten)
    return tally


def mark_deleted(
    channel_id: int,
    window: Window,
    seen: set[int],
    asked_at: datetime,
    now: datetime,
    *,
    is_readable: bool = False,
) -> int:
    """Mark the channel's messages in `window` that a complete export no longer shows.

    Those stay that another export showed after this one was asked for. Return how many. An export
    that shows nothing at all marks nothing, since a lost permission looks the same, unless the
    channel `is_readable` for certain.
    """
    if not (seen or is_readable):
        return 0
    shown = Message.objects.of_channels(window, [channel_id]).shown()
    gone = set(shown.values_list("discord_id", flat=True)) - seen
    if not gone:
        return 0
    seen_later = Q(changed_at__gt=asked_at, changed_at__lte=now)
    missed = Message.objects.filter(discord_id__in=gone).exclude(seen_later)
    return missed.update(deleted_at=asked_at)


class _Stored(NamedTuple):
    """What of a stored message shows whether an export differs; no fingerprint if it is deleted."""

    fingerprint: int | None
    changed_at: datetime | str
    channel_id: int

    def is_shown_by(self, row: Row, *, is_history: bool) -> bool:
        """Whether `row` tells nothing that is not stored."""
        return (
            row[FINGERPRINT] == self.fingerprint
            and not (is_history and row[CHANGED_AT] != _text(self.changed_at))
            and channel_of(row[ID], self.channel_id, row[CHANNEL]) == self.channel_id
        )


def _text(moment: datetime | str) -> str:
    """A time as rows have it, from what a database's driver makes of it."""
    return moment if isinstance(moment, str) else time_text(moment)


def _stored(ids: list[int]) -> dict[int, _Stored]:
    """Those of the messages that are stored.

    The ids are one parameter, since binding a thousand costs more than looking them up.
    """
    is_postgresql = connection.vendor == "postgresql"
    among = "= ANY(%s)" if is_postgresql else "IN (SELECT value FROM json_each(%s))"
    statement = (
        "SELECT discord_id, CASE WHEN deleted_at IS NULL THEN fingerprint END,"  # noqa: S608
        f" changed_at, channel_id FROM {TABLE} WHERE discord_id {among}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [ids if is_postgresql else str(ids)])
        return {discord_id: _Stored(*values) for discord_id, *values in cursor.fetchall()}


def _insert(rows: Sequence[Row]) -> None:
    """Insert rows that were not there a moment ago; raise IntegrityError where one is there now."""
    if connection.vendor != "postgresql":
        # They still are not, since SQLite's write lock is ours: a plain INSERT is the cheapest.
        with connection.cursor() as cursor:
            cursor.executemany(f"{INSERT} {ROW_OF_VALUES}", rows)
        return
    # COPY takes rows several times as fast as INSERT does.
    with transaction.atomic(), connection.cursor() as cursor:
        copy_rows(cursor, TABLE, COLUMNS, rows)


def _update(rows: Sequence[LearnedRow]) -> None:
    """Rewrite rows that are there and locked."""
    if not rows:
        return
    columns = (*COLUMNS, "deleted_at")
    one_row = f"({', '.join(['%s'] * len(columns))})"
    head = f"INSERT INTO {TABLE} ({', '.join(columns)}) VALUES"
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    tail = f"ON CONFLICT (discord_id) DO UPDATE SET {updates}"
    values = [
        (*learned.row, learned.deleted_at and time_text(learned.deleted_at)) for learned in rows
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            all_rows = ", ".join([one_row] * len(values))
            cursor.execute(f"{head} {all_rows} {tail}", [each for row in values for each in row])
        else:
            cursor.executemany(f"{head} {one_row} {tail}", values)

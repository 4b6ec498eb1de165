"""Stores the forms of messages: of those that were just stored, and of those stored long ago.

A message's form is made by the transaction that stores the message, so that no page and no search
ever lags behind; the filler makes those of messages that a former release stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction

from messages_app.database.copy import copy_rows
from messages_app.document.form import (
    DELETED,
    FORM_VERSION,
    Form,
    FormSource,
    form_of,
    tsvector,
)
from messages_app.document.rows import MessageRow, Row
from messages_app.models import Message

COLUMNS = (
    *("discord_id", "version", "fingerprint", "said_fingerprint", "reacted_fingerprint"),
    *("known", "search_text", "terms", "shown"),
)
INSERT = f"INSERT INTO messages_app_form ({', '.join(COLUMNS)}) VALUES"
ROW_OF_VALUES = f"({', '.join(['%s'] * len(COLUMNS))})"
UPDATE = "ON CONFLICT (discord_id) DO UPDATE SET " + ", ".join(
    f"{column} = excluded.{column}" for column in COLUMNS[1:]
)
INDEX = "INSERT INTO messages_app_form_search (rowid, search_text, terms) VALUES (%s, %s, %s)"


class _Lack(NamedTuple):
    """A message whose form is missing or out of date."""

    fingerprint: int
    parent_channel_id: int | None
    is_deleted: bool
    has_form: bool


def store_forms(rows: Sequence[Row], rewritten: Sequence[int] = ()) -> None:
    """Make the forms of those of the messages that lack one; `rows` were stored just now.

    The forms of `rewritten` messages are made anew: a message may have moved to another channel.
    The last step of the transaction that stored them.
    """
    by_id = {row[0]: row for row in rows}
    lacks = _lacking(list(by_id), rewritten)
    at_hand, others = [], []
    for discord_id, lack in lacks.items():
        row = MessageRow._make(by_id[discord_id])
        if row.fingerprint == lack.fingerprint and discord_id not in rewritten:
            at_hand.append(_source(row, lack.parent_channel_id))
        else:  # what is stored is not what this export showed
            others.append(discord_id)
    _write([form_of(source) for source in (*at_hand, *sources(others))], lacks)


def fill_forms(messages: Sequence[FormSource]) -> int:
    """Make and store the forms of messages that were read a moment ago; return of how many.

    Whatever was changed since, or is being changed, is left to whoever changes it.
    """
    forms = [form_of(source) for source in messages]
    with transaction.atomic():
        _take_write_lock()
        lacks = _lacking([form.discord_id for form in forms])
        current = [
            form
            for form in forms
            if form.discord_id in lacks and lacks[form.discord_id].fingerprint == form.fingerprint
        ]
        _write(current, lacks)
    return len(current)


def sources(discord_ids: Sequence[int]) -> Iterator[FormSource]:
    """What the forms of stored messages are made from."""
    if not discord_ids:
        return
    found = Message.objects.filter(pk__in=list(discord_ids)).values_list(
        *("discord_id", "channel_id", "parent_channel_id", "author_id", "edited_at"),
        *("fingerprint", "raw"),
    )
    for discord_id, channel_id, parent_id, author_id, edited_at, fingerprint, raw in found:
        yield FormSource(
            discord_id, channel_id, parent_id, author_id, edited_at is not None, fingerprint, raw
        )


def _source(row: MessageRow, parent_channel_id: int | None) -> FormSource:
    return FormSource(
        row.discord_id,
        row.channel_id,
        parent_channel_id,
        row.author_id,
        row.edited_at is not None,
        row.fingerprint,
        row.raw,
    )


def _lacking(ids: list[int], rewritten: Sequence[int] = ()) -> dict[int, _Lack]:
    """Those of the messages whose form is missing or out of date, in the order of their ids.

    All of `rewritten` are among them.

    On PostgreSQL they are kept from being changed until the end of the transaction, but for those
    that another one is changing. The ids are one parameter, since binding a thousand costs more
    than looking them up.
    """
    is_postgresql = connection.vendor == "postgresql"
    among = "= ANY(%s)" if is_postgresql else "IN (SELECT value FROM json_each(%s))"
    statement = f"""
        SELECT message.discord_id, message.fingerprint, message.parent_channel_id,
            message.deleted_at IS NOT NULL, form.discord_id IS NOT NULL
        FROM messages_app_message message
        LEFT JOIN messages_app_form form ON form.discord_id = message.discord_id
        WHERE message.discord_id {among} AND (form.discord_id IS NULL OR form.version < %s
            OR form.fingerprint <> message.fingerprint OR message.discord_id {among})
        ORDER BY message.discord_id
        {"FOR SHARE OF message SKIP LOCKED" if is_postgresql else ""}
    """  # noqa: S608 - names of our own only
    with connection.cursor() as cursor:
        lists = [each if is_postgresql else str(each) for each in (ids, list(rewritten))]
        cursor.execute(statement, [lists[0], FORM_VERSION, lists[1]])
        return {
            discord_id: _Lack(fingerprint, parent_id, bool(is_deleted), bool(has_form))
            for discord_id, fingerprint, parent_id, is_deleted, has_form in cursor.fetchall()
        }


def _write(forms: Sequence[Form], lacks: dict[int, _Lack]) -> None:
    new: list[Row] = []
    changed: list[Row] = []
    for form in forms:
        lack = lacks[form.discord_id]
        (changed if lack.has_form else new).append(_values(form, is_deleted=lack.is_deleted))
    if new:
        _insert(new)
    if changed:
        _upsert(changed)
    with connection.cursor() as cursor:
        for form in forms:
            if form.forward_of:
                cursor.execute(
                    "UPDATE messages_app_message SET forward_of = %s"
                    " WHERE discord_id = %s AND forward_of IS DISTINCT FROM %s",
                    [form.forward_of, form.discord_id, form.forward_of],
                )


def _values(form: Form, *, is_deleted: bool) -> Row:
    """The values of COLUMNS."""
    search_text, terms = " ".join(form.words), None
    if connection.vendor == "postgresql":
        search_text = tsvector(form, is_deleted=is_deleted)
    else:
        terms = " ".join([*form.terms, DELETED] if is_deleted else form.terms)
    return (
        form.discord_id,
        form.version,
        form.fingerprint,
        form.said_fingerprint,
        form.reacted_fingerprint,
        form.known,
        search_text,
        terms,
        form.shown,
    )


def _insert(rows: Sequence[Row]) -> None:
    """Insert forms that were not there a moment ago, and on SQLite index them."""
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.executemany(f"{INSERT} {ROW_OF_VALUES}", rows)
            cursor.executemany(INDEX, [(row[0], row[6], row[7]) for row in rows])
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            copy_rows(cursor, "messages_app_form", COLUMNS, rows)
    except IntegrityError:  # another writer was faster
        _upsert(rows)


def _upsert(rows: Sequence[Row]) -> None:
    """Put forms in the place of others; triggers keep SQLite's index."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            values = ", ".join([ROW_OF_VALUES] * len(rows))
            cursor.execute(f"{INSERT} {values} {UPDATE}", [value for row in rows for value in row])
        else:
            cursor.executemany(f"{INSERT} {ROW_OF_VALUES} {UPDATE}", rows)


def _take_write_lock() -> None:
    """Wait for SQLite's one writer before anything is read: see `store_channel`."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE messages_app_channel SET name = name WHERE 0")

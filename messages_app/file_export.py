"""The stored messages as `export_messages` and the downloads give them: JSON lines or CSV."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO

from messages_app.database.whole import lines_of
from messages_app.document.message import author_of, replied_to, storable_text
from messages_app.inert import inert
from messages_app.keyset import in_pieces
from messages_app.models import Message, MessageQuerySet, Session

# What of the export is passed on as it is: lists, and what most messages lack, by its keys there.
LISTS = ("attachments", "embeds", "reactions", "stickers", "mentions", "components")
OBJECTS = {
    "reference": "reference",
    "forwarded_message": "forwardedMessage",
    "poll": "poll",
    "interaction": "interaction",
}
# The first ones in the order in which they were promised first.
KEYS = (
    "discord_id",
    "channel_id",
    "session",
    "type",
    "timestamp",
    "edited_at",
    "deleted_at",
    "author",
    "content",
    "reply_to",
    *LISTS,
    "author_id",
    "is_pinned",
    *OBJECTS,
)

IDS = frozenset({"discord_id", "channel_id", "reply_to", "author_id"})

_NEEDS_ESCAPES = re.compile("[\ud800-\udfff\x85\u2028\u2029]")
# The full-width forms, too, which Excel takes for the others; blanks before them do not help.
_BEGINS_FORMULA = re.compile(r"[\s\ufffd]*[=+\-@\uff1d\uff0b\uff0d\uff20]")

# Writes messages to a stream and returns how many.
Write = Callable[[Iterable[dict[str, Any]], TextIO], int]


def exported_messages(session: Session | None, *, with_deleted: bool) -> Iterator[dict[str, Any]]:
    """Yield the messages of one session, or all, in the order of their time."""
    for piece in exported_pieces(session, with_deleted=with_deleted):
        yield from piece


def exported_pieces(
    session: Session | None,
    *,
    with_deleted: bool,
    prepared: Callable[[Message], Message] | None = None,
) -> Iterator[Iterator[dict[str, Any]]]:
    """The same in pieces that fit in memory; only within one is a row of the database held.

    `prepared` makes of each row what the reader may see of it.
    """
    sessions = [session] if session else list(Session.objects.archives_last())
    spans = [
        (each, set(each.feeds.values_list("channel_id", flat=True)), each.window)
        for each in sessions
    ]

    def holder(message: Message) -> int | None:
        """The first session that the message belongs to."""
        for each, channel_ids, window in spans:
            if message.channel_id in channel_ids and message.timestamp in window:
                return each.pk
        return None

    for rows in in_pieces(_chosen(session, with_deleted=with_deleted)):
        seen = map(prepared, rows) if prepared else rows
        yield (exported(message, holder(message)) for message in seen)


def whole_messages(session: Session | None, *, with_deleted: bool) -> Iterator[dict[str, Any]]:
    """Yield all that is stored of the same messages, as `import_messages --raw` takes it."""
    for rows in in_pieces(_chosen(session, with_deleted=with_deleted)):
        yield from lines_of(rows)


def _chosen(session: Session | None, *, with_deleted: bool) -> MessageQuerySet:
    messages = Message.objects.of_session(session) if session else Message.objects.all()
    return messages if with_deleted else messages.shown()


def exported(message: Message, session_id: int | None) -> dict[str, Any]:
    """The message's values under KEYS; `session_id` is the session that it belongs to."""
    raw = json.loads(message.raw)
    return {
        "discord_id": str(message.discord_id),
        "channel_id": str(message.channel_id),
        "session": session_id,
        "type": message.type,
        "timestamp": message.timestamp.isoformat(),
        "edited_at": message.edited_at.isoformat() if message.edited_at else None,
        "deleted_at": message.deleted_at.isoformat() if message.deleted_at else None,
        "author": raw.get("author"),
        "content": message.content,
        "reply_to": replied_to(raw),
        **{key: raw.get(key) or [] for key in LISTS},
        "author_id": None if message.author_id is None else str(message.author_id),
        "is_pinned": raw.get("isPinned") is True,
        **{key: raw.get(name) for key, name in OBJECTS.items()},
    }


def write_json_lines(messages: Iterable[dict[str, Any]], stream: TextIO) -> int:
    """Write one JSON object a line; return how many.

    What no file can hold, or what some programs take for the end of a line, goes out as its escape.
    """
    count = 0
    for message in messages:
        count += 1
        line = json.dumps(message, ensure_ascii=False)
        if _NEEDS_ESCAPES.search(line):
            line = json.dumps(message)
        stream.write(line + "\n")
    return count


def write_csv(messages: Iterable[dict[str, Any]], stream: TextIO) -> int:
    """Write a table with a head; lists and objects are JSON in their cell. Return how many rows.

    No cell begins a formula, and none holds a bare carriage return.
    """
    return _write_table(messages, stream, _plain)


def write_excel_csv(messages: Iterable[dict[str, Any]], stream: TextIO) -> int:
    """The same as Excel wants it: with a byte order mark, and ids as the text of a formula.

    Excel rounds a number to 15 digits, and an id has more.
    """
    stream.write("\ufeff")
    return _write_table(messages, stream, _for_excel)


def _write_table(
    messages: Iterable[dict[str, Any]], stream: TextIO, cell: Callable[[str, Any], Any]
) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(KEYS)
    count = 0
    for message in messages:
        count += 1
        values = message | {"author": inert(author_of(message["author"])[1])}
        writer.writerow([cell(key, values[key]) for key in KEYS])
    return count


def _plain(_key: str, value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value)
    if not isinstance(value, str):
        return value
    text = storable_text(value).replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if _BEGINS_FORMULA.match(text) else text


def _for_excel(key: str, value: Any) -> Any:
    return f'="{value}"' if key in IDS and value else _plain(key, value)

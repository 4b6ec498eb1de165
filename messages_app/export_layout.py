"""A shortcut for messages laid out as the exporter itself writes them; it declines all others.

Decoding a message into objects and encoding it again costs four times as much as storing it. The
exporter indents by two, in a fixed order of keys, and JSON has no line break inside a text: so
the head of a message is matched in place, and its author and its lists end at the first closing
brace on a line of their depth. Authors, and the lists of messages that have none, are the same
texts over and over: each is decoded by the standard decoder once and looked up from then on.

What is taken equals `message_from` of the decoded object in every field; whatever is odd in the
least (another layout, order, type, an invalid value, a text cut by the end of the buffer) is
declined and left to the general reader, which also finds the words for what is wrong.
"""

import re
from typing import Any, NamedTuple

from messages_app.export_message import (
    ExportedMessage,
    author_of,
    snowflake,
    storable_json,
    storable_text,
)
from messages_app.fingerprint import canonical_rest, fingerprint, instant
from messages_app.json_stream import decode

# Characters of decoded blocks to remember, a few MiB of memory: thousands of authors.
_REMEMBERED_CHARS = 4 * 1024 * 1024

_HEAD_KEYS = frozenset(
    (
        "id",
        "type",
        "timestamp",
        "timestampEdited",
        "callEndedTimestamp",
        "isPinned",
        "content",
        "author",
    )
)


class _Author(NamedTuple):
    id: int | None
    name: str
    raw: str


class _Tail(NamedTuple):
    """What follows after the author: attachments, embeds and the like."""

    has_attachments: bool
    rest: str
    raw: str


class ExporterLayout:
    """The shortcut for one document, whose line breaks it learns from the first message."""

    def __init__(self, text: str, first_message: int) -> None:
        newline = "\r\n" if text.startswith("{\r\n", first_message) else "\n"
        line = newline + " " * 6
        self._head = re.compile(
            r"\{" + line + r'"id": "([0-9]+)",' + line + r'"type": "([A-Za-z0-9]+)",'
            + line + r'"timestamp": "([0-9T:.+Z-]+)",'
            + line + r'"timestampEdited": (?:null|"([0-9T:.+Z-]+)"),'
            + line + r'"callEndedTimestamp": null,'
            + line + r'"isPinned": (true|false),'
            # Possessive: a text that is cut is given up at once, without going back.
            + line + r'"content": "([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)",'
            + line + r'"author": (?=\{)'
        )  # fmt: skip
        self._author_end = line + "}"
        self._message_end = newline + "    }"
        self._authors: dict[str, _Author] = {}
        self._tails: dict[str, _Tail] = {}
        self._remembered_chars = 0

    def take(self, text: str, start: int) -> tuple[ExportedMessage, int] | None:
        """Given a text and where a message begins, return it and its end; None: not taken."""
        head = self._head.match(text, start)
        if head is None:
            return None
        author_start = head.end()
        author_end = text.find(self._author_end, author_start) + len(self._author_end)
        end = text.find(self._message_end, author_end) + len(self._message_end)
        if author_end <= author_start or end <= author_end:
            return None
        author_text = text[author_start:author_end]
        tail_text = text[author_end:end]
        try:
            author = self._authors.get(author_text) or self._author(author_text)
            tail = self._tails.get(tail_text) or self._tail(tail_text)
            message = _message(head, author, tail)
        except (ValueError, RecursionError):
            return None
        return message, end

    def _author(self, text: str) -> _Author:
        value = _decoded(text)
        author = _Author(*author_of(value), storable_json(value))
        self._remember(text)
        self._authors[text] = author
        return author

    def _tail(self, text: str) -> _Tail:
        if not text.startswith(","):
            raise ValueError("the author is not followed by more keys")
        value = _decoded("{" + text[1:])
        if not _HEAD_KEYS.isdisjoint(value):
            raise ValueError("a key is there twice, and the last one holds")
        tail = _Tail(
            bool(value.get("attachments")), canonical_rest(value), storable_json(value)[1:]
        )
        if not any(value.values()):
            self._remember(text)
            self._tails[text] = tail
        return tail

    def _remember(self, text: str) -> None:
        self._remembered_chars += len(text)
        if self._remembered_chars > _REMEMBERED_CHARS:
            self._authors.clear()
            self._tails.clear()
            self._remembered_chars = len(text)


def _decoded(text: str) -> dict[str, Any]:
    """Return the object that is all of `text`; raise ValueError if it is anything else."""
    value, end = decode(text)
    if end != len(text) or not isinstance(value, dict):
        raise ValueError("the block ends elsewhere")
    return value


def _message(head: re.Match[str], author: _Author, tail: _Tail) -> ExportedMessage:
    id_text, kind, time_text, edited_text, pinned, content_json = head.groups()
    discord_id = snowflake(id_text)
    if discord_id is None:
        raise ValueError("the id is not a snowflake")
    content = content_json
    if "\\" in content_json:
        content, _ = decode(f'"{content_json}"')
        content_json = storable_json(content)[1:-1]
    edited_at = instant(edited_text) if edited_text else None
    edited_json = f'"{edited_text}"' if edited_text else "null"
    return ExportedMessage(
        discord_id,
        kind,
        instant(time_text),
        edited_at,
        author.id,
        author.name,
        storable_text(content),
        tail.has_attachments,
        fingerprint(author.id, None, content, edited_at, pinned == "true", kind, tail.rest),
        f'{{"id":"{id_text}","type":"{kind}","timestamp":"{time_text}",'
        f'"timestampEdited":{edited_json},"callEndedTimestamp":null,"isPinned":{pinned},'
        f'"content":"{content_json}","author":{author.raw},{tail.raw}',
    )

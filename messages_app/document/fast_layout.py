"""A shortcut for messages laid out as the exporter itself writes them; it declines all others.

Decoding a plain message into objects and encoding it again takes three times as long as this, and
longer than storing it. The exporter indents by two, in a fixed order of keys, and JSON has no line
break inside a text: so the head of a message is matched in place, and its author and what follows
end at the first closing brace on a line of their depth. Authors, and the lists of a message that
has nothing in them, are the same texts over and over: each is decoded by the standard decoder once
and recognised from then on.

What is taken equals `message_from` of the decoded object in every field; whatever is odd in the
least (another layout, order, type, an invalid value, a text cut by the end of the buffer) is
declined and left to the general reader, which also finds the words for what is wrong.
"""

import re
from typing import Any, NamedTuple

from messages_app.document.fingerprint import canonical_rest, fingerprint
from messages_app.document.json_stream import decode
from messages_app.document.message import (
    ExportedMessage,
    author_of,
    is_of_another_layout,
    storable_json,
    storable_text,
)
from messages_app.document.times import instant
from messages_app.snowflakes import LARGEST_ID

# Characters of authors' blocks to remember, a few MiB of memory: thousands of authors.
_REMEMBERED_CHARS = 4 * 1024 * 1024
# Characters at the beginning of an author's block that hold its id.
_KEY_CHARS = 40

_HEAD_KEYS = frozenset(
    {"id", "type", "timestamp", "timestampEdited", "callEndedTimestamp"}
    | {"isPinned", "content", "author"}
)


class _Author(NamedTuple):
    text: str
    id: int | None
    name: str
    raw: str


class _Tail(NamedTuple):
    """What follows after the author: attachments, embeds and the like."""

    text: str
    has_attachments: bool
    rest: str
    raw: str


class ExporterLayout:
    """The shortcut for one document, whose line breaks it learns from the first message."""

    def __init__(self, text: str, first_message: int) -> None:
        newline = "\r\n" if text.startswith("{\r\n", first_message) else "\n"
        line = newline + " " * 6
        self._head = re.compile(
            r"\{" + line + r'"id": "([0-9]{1,19})",' + line + r'"type": "([A-Za-z0-9]+)",'
            + line + r'"timestamp": "([0-9T:.+Z-]+)",'
            + line + r'"timestampEdited": (?:null|"([0-9T:.+Z-]+)"),'
            + line + r'"callEndedTimestamp": null,'
            + line + r'"isPinned": (true|false),'
            # Possessive: a text that is cut is given up at once, without going back.
            + line + r'"content": "([^"\\\x00-\x1f]*+(?:\\.[^"\\\x00-\x1f]*+)*+)",'
            + line + r'"author": (?=\{)'
        )  # fmt: skip
        self.separator = "," + newline + "    "
        self._author_end = line + "}"
        self._message_end = newline + "    }"
        self._authors: dict[str, _Author] = {}
        self._authors_chars = 0
        self._plain_tail: _Tail | None = None

    def take(self, text: str, start: int) -> tuple[ExportedMessage, int] | None:
        """Given a text and where a message begins, return it and its end; None: not taken."""
        head = self._head.match(text, start)
        if head is None:
            return None
        try:
            author = self._author_at(text, head.end())
            tail_start = head.end() + len(author.text)
            tail = self._tail_at(text, tail_start)
            return _message(head, author, tail), tail_start + len(tail.text)
        except (ValueError, RecursionError):
            return None

    def _author_at(self, text: str, start: int) -> _Author:
        # The block's beginning holds the id. That the whole block is the same as last time is one
        # comparison of memory; finding its end and hashing it would cost ten times as much.
        key = text[start : start + _KEY_CHARS]
        author = self._authors.get(key)
        if author is None or not text.startswith(author.text, start):
            block = _block(text, start, self._author_end)
            value = _decoded(block)
            if is_of_another_layout({"author": value}):
                raise ValueError("the general reader has the words for it")
            author = _Author(block, *author_of(value), storable_json(value))
            self._remember(key, author)
        return author

    def _tail_at(self, text: str, start: int) -> _Tail:
        # Most messages have nothing in their lists, which is then the same text each time.
        tail = self._plain_tail
        if tail is None or not text.startswith(tail.text, start):
            block = _block(text, start, self._message_end)
            if not block.startswith(","):
                raise ValueError("the author is not followed by more keys")
            value = _decoded("{" + block[1:])
            if not _HEAD_KEYS.isdisjoint(value):
                raise ValueError("a key is there twice, and the last one holds")
            tail = _Tail(
                block,
                bool(value.get("attachments")),
                canonical_rest(value),
                storable_json(value)[1:],
            )
            if not any(value.values()):
                self._plain_tail = tail
        return tail

    def _remember(self, key: str, author: _Author) -> None:
        self._authors_chars += len(author.text)
        if self._authors_chars > _REMEMBERED_CHARS:
            self._authors.clear()
            self._authors_chars = len(author.text)
        self._authors[key] = author


def _block(text: str, start: int, last_line: str) -> str:
    """Return the text from `start` through the next `last_line`; raise ValueError without one."""
    return text[start : text.index(last_line, start) + len(last_line)]


def _decoded(text: str) -> dict[str, Any]:
    """Return the object that is all of `text`; raise ValueError if it is anything else."""
    value, end = decode(text)
    if end != len(text) or not isinstance(value, dict):
        raise ValueError("the block ends elsewhere")
    return value


def _message(head: re.Match[str], author: _Author, tail: _Tail) -> ExportedMessage:
    id_text, kind, time_text, edited_text, pinned, content_json = head.groups()
    discord_id = int(id_text)
    if not 0 < discord_id <= LARGEST_ID:
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

"""One message of an export, from the object as exported to what is stored of it."""

import json
import re
from datetime import datetime
from typing import Any, NamedTuple

from messages_app.exported_time import instant
from messages_app.fingerprint import canonical_rest, fingerprint

# PostgreSQL's bigint and SQLite's integer end here; Discord's ids reach it in the year 2084.
MAX_SNOWFLAKE = 2**63 - 1

_SNOWFLAKE = re.compile(r"[0-9]{1,19}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_compact_json = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False
).encode


class ExportedMessage(NamedTuple):
    """A message as an export showed it.

    `discord_id` is 1 to 2**63 - 1; `type` is never ""; times are aware and UTC; `author_name` is
    the nickname, else the name, else ""; `fingerprint` is signed, 64 bit; `raw` is the whole object
    as compact JSON. No text holds NUL or lone surrogates, which a database refuses: they are shown
    as U+2400 and U+FFFD, and `raw` keeps them as escapes.
    """

    discord_id: int
    type: str
    timestamp: datetime
    edited_at: datetime | None
    author_id: int | None
    author_name: str
    content: str
    has_attachments: bool
    fingerprint: int
    raw: str


class MessageError(ValueError):
    """What is wrong with a message object, as the end of a sentence: "has no id"."""


def message_from(value: Any) -> ExportedMessage:
    """Given a decoded message object, return what is stored of it.

    Raise MessageError, or RecursionError for a nesting that no exporter writes.
    """
    if not isinstance(value, dict):
        raise MessageError("is not an object")
    discord_id = _own_id(value)
    timestamp = _time(value, "timestamp")
    if timestamp is None:
        raise MessageError("has no timestamp")
    edited_at = _time(value, "timestampEdited")
    call_ended_at = _time(value, "callEndedTimestamp")
    kind = _kind(value)
    content = value.get("content") or ""
    if not isinstance(content, str):
        raise MessageError("has a content that is not text")
    author_id, author_name = author_of(value.get("author"))
    return ExportedMessage(
        discord_id,
        storable_text(kind),
        timestamp,
        edited_at,
        author_id,
        author_name,
        storable_text(content),
        bool(value.get("attachments")),
        fingerprint(
            author_id,
            call_ended_at,
            content,
            edited_at,
            bool(value.get("isPinned")),
            kind,
            canonical_rest(value),
        ),
        storable_json(value),
    )


def snowflake(value: Any) -> int | None:
    """Given an id as exported, return its number; None unless it is text of 1 to 2**63 - 1.

    A JSON number is refused: programs that write ids as numbers round them to 53 bits.
    """
    if not isinstance(value, str) or not _SNOWFLAKE.fullmatch(value):
        return None
    number = int(value)
    return number if 0 < number <= MAX_SNOWFLAKE else None


def author_of(value: Any) -> tuple[int | None, str]:
    """Given an author object, return its id, if it has a valid one, and the name shown."""
    if not isinstance(value, dict):
        return None, ""
    name = value.get("nickname") or value.get("name") or ""
    return snowflake(value.get("id")), storable_text(name) if isinstance(name, str) else ""


def storable_text(text: str) -> str:
    """Return `text` with NUL shown as U+2400 and each lone surrogate as U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    if _is_encodable(text):
        return text
    return _SURROGATE.sub("\ufffd", text)


def storable_json(value: Any) -> str:
    """Return `value` as compact JSON, with escapes only where a database refuses the character."""
    text = _compact_json(value)
    if _is_encodable(text):
        return text
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _own_id(value: dict[str, Any]) -> int:
    if value.get("id") is None:
        raise MessageError("has no id")
    number = snowflake(value["id"])
    if number is None:
        raise MessageError("has an id that is not a snowflake")
    return number


def _time(value: dict[str, Any], key: str) -> datetime | None:
    text = value.get(key)
    if text is None or text == "":
        return None
    try:
        return instant(text)
    except (ValueError, TypeError):
        raise MessageError(f"has a {key} that is not a time with an offset") from None


def _kind(value: dict[str, Any]) -> str:
    """Return the type as exported; a document that tells none holds ordinary messages."""
    kind = value.get("type")
    if isinstance(kind, int) and not isinstance(kind, bool):
        kind = str(kind)
    if kind is None or kind == "":
        return "Default"
    if not isinstance(kind, str):
        raise MessageError("has a type that is not text")
    return kind

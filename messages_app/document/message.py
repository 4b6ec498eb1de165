"""One message of an export, from the object as exported to what is stored of it."""

import json
import re
from datetime import datetime
from typing import Any, NamedTuple

from messages_app.document.fingerprint import canonical_rest, fingerprint
from messages_app.document.times import instant
from messages_app.snowflakes import id_in

# The exporters' names for them, and Discord's numbers.
_SPOKEN = frozenset(
    {"Default", "0", "Reply", "19", "ChatInputCommand", "20", "ContextMenuCommand", "23"}
)
_REPLIES = frozenset({"Reply", "19", 19})
# What a message may consist of besides text and files.
_SHOWN_BESIDE_TEXT = ("embeds", "stickers", "forwardedMessage", "poll", "components", "interaction")
# Keys by which other programs tell who wrote a message.
_AUTHOR_IDS = frozenset({"authorId", "author_id", "userId", "user_id"})

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_compact_json = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), check_circular=False
).encode


class ExportedMessage(NamedTuple):
    """A message as an export showed it.

    `discord_id` is 1 to LARGEST_ID; `type` is never ""; times are aware and UTC; `author_name` is
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


def is_of_another_layout(value: Any) -> bool:
    """Whether a message object is laid out as other programs do it: by ids, or as Discord's API."""
    if not isinstance(value, dict):
        return False
    author = value.get("author")
    names_author_by_id = "author" not in value and not _AUTHOR_IDS.isdisjoint(value)
    is_user_of_api = isinstance(author, dict) and "username" in author and "name" not in author
    return names_author_by_id or is_user_of_api or "edited_timestamp" in value


def author_of(value: Any) -> tuple[int | None, str]:
    """Given an author object, return its id, if it has a valid one, and the name shown."""
    if not isinstance(value, dict):
        return None, ""
    name = value.get("nickname") or value.get("name") or ""
    return id_in(value.get("id")), storable_text(name) if isinstance(name, str) else ""


def is_spoken(kind: str) -> bool:
    """Whether a message of this type holds a person's or a bot's words; others hold Discord's own,
    which each release of an exporter words, or leaves out, as it likes.
    """
    return kind in _SPOKEN


def is_blank(message: ExportedMessage) -> bool:
    """Whether a message that somebody wrote shows nothing of what he wrote."""
    if message.content or message.has_attachments or not is_spoken(message.type):
        return False
    value = json.loads(message.raw)
    return not any(map(value.get, _SHOWN_BESIDE_TEXT))


def replied_to(message: dict[str, Any]) -> str | None:
    """Given a message object, return the id of the message that it replies to.

    Other kinds have references, too: a forward, a pin, news from another channel.
    """
    reference = message.get("reference")
    if message.get("type") not in _REPLIES or not isinstance(reference, dict):
        return None
    found = id_in(reference.get("messageId"))
    return str(found) if found else None


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
    number = id_in(value["id"])
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

"""The fingerprint of a message: equal for two exports of one message unless it was really edited.

The canon is the JSON text (ASCII, no spaces) of the list `[author's id, call's end, content, edited
at, pinned, type, everything else]`, hashed with BLAKE2b to 8 bytes and read as a signed big-endian
number. Times are UTC in milliseconds; what is absent is null. Everything else is an object with
sorted keys, reduced by these rules at any depth:

- What says nothing (null, false, "", [], {}) counts as absent, so that a key which an older
  exporter did not write yet is no edit.
- A user is its id: no names, colours, roles, avatars. The order of users and of mentions does not
  count. An emoji and a sticker are their id, else their name: their owner may rename them, too.
- A file of Discord is its path without host and signature; a proxied picture is the address that
  it was made from. An attachment is its id, name and size.
- The addresses of icons and avatars do not count, nor does what follows from another part: the
  `inlineEmojis`, an emoji's `code`, a sticker's `format`, an embed's one picture told twice.
- The message's own id and time do not count, for they cannot change.
- Any other key counts, known or not.

So documents of an old and a new exporter agree unless the new one knows a fact that the old one
could not write (a mention, a reference, who reacted), which the database should then gain.

A changed canon shows every stored message as edited once; values pinned in the tests tell of it.
"""

import hashlib
import json
import re
from datetime import datetime
from json.encoder import encode_basestring_ascii as _canonical_text
from typing import Any
from urllib.parse import unquote

from messages_app.document.times import instant

# Made once: json.dumps would make one for every message.
_canonical_json = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), check_circular=False
).encode

# Parts of a message that `fingerprint` is given one by one, that cannot change, or that follow
# from its content.
_NOT_IN_REST = frozenset(
    {
        "id",
        "timestamp",
        "author",
        "callEndedTimestamp",
        "content",
        "timestampEdited",
        "isPinned",
        "type",
        "inlineEmojis",
    }
)
_DECORATION = frozenset(
    {"inlineEmojis", "avatarUrl", "iconUrl", "iconCanonicalUrl", "imageUrl", "sourceUrl"}
)
_USERS = frozenset({"author", "mentions", "user", "users"})
_RENAMABLE = frozenset({"emoji", "stickers"})
_UNORDERED = frozenset({"mentions", "users"})
_TIMES = frozenset({"timestamp", "timestampEdited", "callEndedTimestamp"})

_DISCORD_FILE = re.compile(
    r"https?://(?:cdn|media)\.discordapp\.(?:com|net)(/[^?#\s]*)(?:[?#]\S*)?"
)
_PROXIED = re.compile(
    r"https?://images-ext-[0-9]+\.discordapp\.net/external/[^/\s]+/"
    r"(?:(%3[Ff][^/\s]*)/)?(https?)/([^?#\s]+)(?:[?#]\S*)?"
)


def fingerprint(
    author_id: int | None,
    call_ended_at: datetime | None,
    content: str,
    edited_at: datetime | None,
    is_pinned: bool,
    type_: str,
    rest: str,
) -> int:
    """Return the signed 64 bit fingerprint; `rest` is `canonical_rest` of the whole message."""
    canon = (
        f"[{author_id or 'null'},{_moment(call_ended_at)},{_canonical_text(content)},"
        f"{_moment(edited_at)},{'true' if is_pinned else 'false'},{_canonical_text(type_)},{rest}]"
    )
    digest = hashlib.blake2b(canon.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def canonical_rest(message: dict[str, Any]) -> str:
    """Given a message object, return the canonical JSON of all that is not told by name."""
    kept = {
        key: reduced
        for key, value in message.items()
        if key not in _NOT_IN_REST
        and not _says_nothing(value)
        and not _says_nothing(reduced := _reduced(key, value))
    }
    return _canonical_json(kept) if kept else "{}"


def canonical_part(key: str, value: Any) -> str:
    """Given a value and its key in the message, return its canonical JSON, "" for nothing."""
    if _says_nothing(value) or _says_nothing(reduced := _reduced(key, value)):
        return ""
    return _canonical_json(reduced)


def _moment(moment: datetime | None) -> str:
    return f'"{moment.isoformat(timespec="milliseconds")}"' if moment else "null"


def _says_nothing(value: Any) -> bool:
    """Tell null, false and the empty text, list and object from all else; zero says something."""
    return not value and (value is False or not isinstance(value, (int, float)))


def _reduced(key: str, value: Any) -> Any:
    """Given a value and the key it stands under, return what of it counts as a difference."""
    if isinstance(value, dict):
        return _reduced_object(key, value)
    if isinstance(value, list):
        items = [_reduced(key, item) for item in value]
        if key in _UNORDERED:
            return sorted((item for item in items if not _says_nothing(item)), key=_canonical_json)
        return items
    if isinstance(value, str):
        if key in _TIMES:
            return _reduced_time(value)
        if value.startswith("http"):
            return _reduced_address(value)
    return value


def _reduced_object(key: str, value: dict[str, Any]) -> Any:
    if key in _RENAMABLE:
        return value.get("id") or value.get("name")
    if key in _USERS or "discriminator" in value:
        if value.get("id"):
            return value["id"]
        # Only the author of an embed is no user: it has no id, and its name is what was embedded.
        if key != "author":
            return None
    kept = {
        name: reduced
        for name, item in value.items()
        if name not in _DECORATION and not _says_nothing(reduced := _reduced(name, item))
    }
    if "canonicalUrl" in kept:
        kept["url"] = kept.pop("canonicalUrl")
    if key == "attachments" and "id" in kept:
        kept.pop("url", None)
    if key == "embeds" and kept.get("images") == [kept.get("image")]:
        del kept["images"]
    if key == "reference" and kept.get("type") == "Default":
        del kept["type"]
    return kept


def _reduced_time(text: str) -> str:
    try:
        return instant(text).isoformat(timespec="milliseconds")
    except ValueError:
        return text


def _reduced_address(text: str) -> str:
    if match := _DISCORD_FILE.fullmatch(text):
        return match[1]
    if match := _PROXIED.fullmatch(text):
        query, scheme, rest = match.groups()
        return f"{scheme}://{rest}{unquote(query or '')}"
    return text

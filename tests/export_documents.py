"""Builds export documents for tests, key for key as the exporter writes them."""

import io
import json
from typing import Any

from messages_app.document.reader import ExportedMessage, ExportReader

Json = dict[str, Any]

CHANNEL_ID = 866674314627121232
FIRST_ID = 1233822720000000000


def user(number: int = 1, /, **changes: Any) -> Json:
    return {
        "id": str(200000000000000000 + number),
        "name": f"name{number}",
        "discriminator": "0000",
        "nickname": f"Nickname {number}",
        "color": "#3498DB",
        "isBot": False,
        "roles": [{"id": "3", "name": "Member", "color": None, "position": 1}],
        "avatarUrl": f"https://cdn.discordapp.com/avatars/{number}/a.png?size=512",
    } | changes


def message(number: int = 0, /, **changes: Any) -> Json:
    """A plain message; a change to `...` leaves the key out."""
    built = {
        "id": str(FIRST_ID + number),
        "type": "Default",
        "timestamp": "2024-04-27T18:00:00.123+00:00",
        "timestampEdited": None,
        "callEndedTimestamp": None,
        "isPinned": False,
        "content": f"text {number}",
        "author": user(),
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [],
        "mentions": [],
        "inlineEmojis": [],
    } | changes
    return {key: value for key, value in built.items() if value is not ...}


def attachment(number: int = 1, /, **changes: Any) -> Json:
    return {
        "id": str(400 + number),
        "url": f"https://cdn.discordapp.com/attachments/1/{number}/photo.png?ex=66&is=65&hm=ab",
        "fileName": "photo.png",
        "fileSizeBytes": 12345,
    } | changes


def emoji(**changes: Any) -> Json:
    return {
        "id": "",
        "name": "\N{THUMBS UP SIGN}",
        "code": "thumbsup",
        "isAnimated": False,
        "imageUrl": "https://cdn.jsdelivr.net/thumbsup.svg",
    } | changes


def reaction(*users: Json, **changes: Any) -> Json:
    return {"emoji": emoji(), "count": len(users), "users": list(users)} | changes


def sticker(**changes: Any) -> Json:
    url = "https://cdn.discordapp.com/stickers/9.png"
    return {"id": "9", "name": "wave", "format": "Png", "sourceUrl": url} | changes


def picture(address: str, **changes: Any) -> Json:
    """A picture of an embed, as the exporter shows it: through Discord's proxy."""
    proxied = "https://images-ext-1.discordapp.net/external/sig/" + address.replace("://", "/")
    return {"url": proxied, "canonicalUrl": address, "width": 640, "height": 480} | changes


def embed(**changes: Any) -> Json:
    image = picture("https://example.org/a.png")
    return {
        "title": "Results",
        "url": "https://example.org/results?race=7",
        "timestamp": "2024-04-27T18:00:00+00:00",
        "description": "All the times",
        "color": "#FF0000",
        "author": {"name": "The club", "url": None, "iconUrl": "https://example.org/i.png"},
        "image": image,
        "footer": {"text": "Unofficial"},
        "images": [image],
        "fields": [{"name": "First", "value": "Seven", "isInline": True}],
        "inlineEmojis": [],
    } | changes


def rich_message(number: int = 0, /, **changes: Any) -> Json:
    """A message that has something of everything."""
    return message(
        number,
        **{
            "type": "Reply",
            "timestampEdited": "2024-04-27T18:00:05.5+00:00",
            "isPinned": True,
            "content": 'a "quoted"\nline, gr\u00fc\u00dfe, \N{CHEQUERED FLAG}',
            "attachments": [attachment(1), attachment(2)],
            "embeds": [embed()],
            "stickers": [sticker()],
            "reactions": [reaction(user(2), user(3))],
            "mentions": [user(4), user(5)],
            "inlineEmojis": [emoji()],
            "reference": {"messageId": "11", "channelId": "12", "guildId": "13"},
            "forwardedMessage": {"content": "before", "timestamp": "2024-04-27T17:00:00+00:00"},
            "interaction": {"id": "14", "name": "vote", "user": user(6)},
        }
        | changes,
    )


def document(*messages: Any, **changes: Any) -> Json:
    """A whole document; a change to `...` leaves the key out."""
    built = {
        "guild": {"id": "866", "name": "Guild", "iconUrl": "https://cdn.discordapp.com/i.png"},
        "channel": {
            "id": str(CHANNEL_ID),
            "type": "GuildTextChat",
            "categoryId": "867",
            "category": "Races",
            "name": "live",
            "topic": None,
        },
        "dateRange": {"after": None, "before": None},
        "exportedAt": "2024-04-28T08:00:00.1234567+00:00",
        "messages": list(messages),
        "messageCount": len(messages),
    } | changes
    return {key: value for key, value in built.items() if value is not ...}


def as_exported(value: Json, newline: str = "\n") -> bytes:
    """The bytes that the exporter writes on a system with this line break."""
    text = json.dumps(value, indent=2, ensure_ascii=False).replace("\n", newline)
    return text.encode()


def minified(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def reader_of(data: bytes | Json) -> ExportReader:
    return ExportReader(io.BytesIO(data if isinstance(data, bytes) else as_exported(data)))


def read_message(value: Json) -> ExportedMessage:
    (only,) = reader_of(document(value))
    return only


def fingerprint_of(value: Json) -> int:
    return read_message(value).fingerprint

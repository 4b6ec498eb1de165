"""Writes exports of any size, laid out as the exporter does, one message in memory at a time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

CHANNEL_ID = 866674314627121232
FIRST_ID = 1233822720000000000
START = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
# A message with its line breaks is about this long, in bytes, as in exports of real channels.
MESSAGE_BYTES = 1000

_AUTHORS = 500
_WORDS = ("the", "race", "is", "on", "and", "nobody", "knows", "who", "will", "win", "it")


def write_export(
    path: Path, count: int, *, first: int = 0, channel_id: int = CHANNEL_ID, edited: str = ""
) -> Path:
    """Write `count` messages, from the `first`-th on; `edited` is put behind every text."""
    with path.open("w", encoding="utf-8") as file:
        file.write(_HEAD % {"channel_id": channel_id})
        separator = "\n"
        for number in range(first, first + count):
            file.write(separator)
            file.write(_message(number, edited))
            separator = ",\n"
        file.write(f'\n  ],\n  "messageCount": {count}\n}}\n')
    return path


def moment(number: int) -> datetime:
    """When the `number`-th message was posted: two messages a second."""
    return START + timedelta(milliseconds=500 * number)


_HEAD = """{
  "guild": {
    "id": "866",
    "name": "Guild",
    "iconUrl": "https://cdn.discordapp.com/icons/866/i.png?size=512"
  },
  "channel": {
    "id": "%(channel_id)d",
    "type": "GuildTextChat",
    "categoryId": "867",
    "category": "Races",
    "name": "live",
    "topic": null
  },
  "dateRange": {
    "after": null,
    "before": null
  },
  "exportedAt": "2026-06-01T08:00:00.1234567+00:00",
  "messages": ["""


def _message(number: int, edited: str) -> str:
    author = number * 7919 % _AUTHORS
    words = " ".join(_WORDS[(number + k * k) % len(_WORDS)] for k in range(24))
    message: dict[str, object] = {
        "id": str(FIRST_ID + number * 4096),
        "type": "Default",
        "timestamp": moment(number).isoformat(timespec="milliseconds"),
        "timestampEdited": None,
        "callEndedTimestamp": None,
        "isPinned": False,
        "content": f"{number}: {words}{edited}",
        "author": {
            "id": str(200000000000000000 + author),
            "name": f"name{author}",
            "discriminator": "0000",
            "nickname": f"Nickname {author}",
            "color": "#3498DB",
            "isBot": False,
            "roles": [{"id": "3", "name": "Member", "color": "#3498DB", "position": 1}],
            "avatarUrl": f"https://cdn.discordapp.com/avatars/{author}/a.png?size=512",
        },
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [],
        "mentions": [],
        "inlineEmojis": [],
    }
    text = json.dumps(message, indent=2, ensure_ascii=False)
    return "    " + text.replace("\n", "\n    ")

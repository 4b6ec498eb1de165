"""Writes exports of any size, laid out as the exporter does, one message in memory at a time."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

CHANNEL_ID = 866674314627121232
FIRST_ID = 1233822720000000000
START = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
STEP = timedelta(milliseconds=500)
_AUTHORS = 500
_WORDS = ("the", "race", "is", "on", "and", "nobody", "knows", "who", "will", "win", "it")


def write_export(
    path: Path,
    count: int,
    *,
    first: int = 0,
    channel_id: int = CHANNEL_ID,
    edited: str = "",
    start: datetime = START,
) -> Path:
    """Write `count` messages, from the `first`-th on, two a second since `start`.

    `edited` is put behind every text, which is told as edited then.
    """
    with path.open("w", encoding="utf-8") as file:
        write_to(file, count, first=first, channel_id=channel_id, edited=edited, start=start)
    return path


def write_to(
    file: TextIO,
    count: int,
    *,
    first: int = 0,
    channel_id: int = CHANNEL_ID,
    edited: str = "",
    start: datetime = START,
) -> None:
    """The same into an open file; a message takes about 1,000 bytes, as in real channels."""
    file.write(_HEAD % {"channel_id": channel_id})
    separator = "\n"
    for number in range(first, first + count):
        file.write(separator)
        file.write(_message(number, start + number * STEP, edited))
        separator = ",\n"
    file.write(f'\n  ],\n  "messageCount": {count}\n}}\n')


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


def _message(number: int, moment: datetime, edited: str) -> str:
    author = number * 7919 % _AUTHORS
    words = " ".join(_WORDS[(number + k * k) % len(_WORDS)] for k in range(24))
    return _TEMPLATE % {
        "id": FIRST_ID + number * 4096,
        "timestamp": moment.isoformat(timespec="milliseconds"),
        "edited_at": f'"{(moment + STEP).isoformat(timespec="milliseconds")}"'
        if edited
        else "null",
        "content": f"{number}: {words}{edited}",
        "author_id": 200000000000000000 + author,
        "author": author,
    }


_TEMPLATE = """    {
      "id": "%(id)d",
      "type": "Default",
      "timestamp": "%(timestamp)s",
      "timestampEdited": %(edited_at)s,
      "callEndedTimestamp": null,
      "isPinned": false,
      "content": "%(content)s",
      "author": {
        "id": "%(author_id)d",
        "name": "name%(author)d",
        "discriminator": "0000",
        "nickname": "Nickname %(author)d",
        "color": "#3498DB",
        "isBot": false,
        "roles": [
          {
            "id": "866674314627121232",
            "name": "Member",
            "color": "#3498DB",
            "position": 1
          }
        ],
        "avatarUrl": "https://cdn.discordapp.com/avatars/%(author_id)d/a_%(author)032x.png?size=512"
      },
      "attachments": [],
      "embeds": [],
      "stickers": [],
      "reactions": [],
      "mentions": [],
      "inlineEmojis": []
    }"""


if __name__ == "__main__":
    write_to(sys.stdout, int(sys.argv[1]))

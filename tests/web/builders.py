"""Builders of stored messages with the JSON that an export holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from messages_app.database.forms import fill_forms, sources
from messages_app.models import Feed, Message, Poll, Session
from messages_app.snowflakes import first_id
from messages_app.windows import Coverage, Window
from tests.builders import make_feed, make_poll, make_session

ANN = {"id": "501", "name": "ann", "nickname": "Ann", "color": "#3498DB", "isBot": False}
BEN = {"id": "502", "name": "ben", "nickname": "Ben", "color": None, "isBot": False}
CHANNEL_ID = 200


def snowflake(instant: datetime, number: int = 0) -> int:
    return first_id(instant) | number


def raw_of(instant: datetime, content: str, author: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """A message object as the exporter writes it."""
    return {
        "id": str(snowflake(instant)),
        "type": "Default",
        "timestamp": instant.isoformat(),
        "timestampEdited": None,
        "callEndedTimestamp": None,
        "isPinned": False,
        "content": content,
        "author": {
            "discriminator": "0000",
            "roles": [{"id": "900", "name": "marshals", "color": None, "position": 1}],
            "avatarUrl": "https://cdn.discordapp.com/embed/avatars/0.png",
            **author,
        },
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [],
        "mentions": [],
        "inlineEmojis": [],
    } | keys


def make_message(
    instant: datetime,
    content: str = "hello",
    author: dict[str, Any] = ANN,
    *,
    channel_id: int = CHANNEL_ID,
    deleted_at: datetime | None = None,
    **keys: Any,
) -> Message:
    """Store a message as an import would; `keys` go into its exported JSON."""
    raw = raw_of(instant, content, author, **keys)
    message = Message.objects.create(
        discord_id=snowflake(instant),
        channel_id=channel_id,
        type=raw["type"],
        timestamp=instant,
        edited_at=raw["timestampEdited"],
        deleted_at=deleted_at,
        author_id=int(author["id"]),
        author_name=author["nickname"],
        content=content,
        has_attachments=bool(raw["attachments"]),
        fingerprint=hash(content) & 0xFFFFFFFF,
        changed_at=instant,
        raw=json.dumps(raw, separators=(",", ":")),
    )
    fill_forms(list(sources([message.pk])))
    return message


def make_messages(start: datetime, texts: Iterable[str], **values: Any) -> list[Message]:
    """Messages a second apart."""
    return [
        make_message(start + timedelta(seconds=second), text, **values)
        for second, text in enumerate(texts)
    ]


def live_session(**values: Any) -> tuple[Session, Feed]:
    """A session that began half an hour ago and was polled just now, with no gap."""
    now = datetime.now(UTC).replace(microsecond=0)
    session = make_session(
        **{"start_time": now - timedelta(minutes=30), "end_time": now + timedelta(minutes=42)}
        | values
    )
    feed = make_feed(session, Window(session.start_time, now), channel_id=CHANNEL_ID)
    poll_now(feed)
    return session, feed


def past_session(**values: Any) -> tuple[Session, Feed]:
    """A session that was closed, complete."""
    session = make_session(**values)
    session.closed_at = session.end_time + timedelta(minutes=1)
    session.save()
    return session, make_feed(session, session.window, channel_id=CHANNEL_ID)


def poll_now(feed: Feed, **values: Any) -> Poll:
    """A poll of the feed's newest 30 seconds that has just ended."""
    now = datetime.now(UTC)
    window = Window(now - timedelta(seconds=30), now)
    return make_poll(
        feed,
        **{"started_at": now, "window_start": window.start, "window_end": window.end} | values,
    )


def covered(*windows: Window) -> list[list[str]]:
    return Coverage(windows).to_json()

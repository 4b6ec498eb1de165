"""Gives the stored messages back, one at a time, as the keys that `export_messages` promises."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from messages_app.models import Message, Session

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
    "attachments",
    "embeds",
    "reactions",
    "stickers",
    "mentions",
)
# How many rows are fetched at once: memory stays flat however many there are.
ROWS_AT_ONCE = 1000


def exported_messages(
    session: Session | None, *, with_deleted: bool
) -> Generator[dict[str, Any], None, None]:
    """Yield the messages of one session, or all, in the order of their time.

    Close it where it is not read to its end: it holds a cursor of the database.
    """
    messages = Message.objects.of_session(session) if session else Message.objects.all()
    if not with_deleted:
        messages = messages.shown()
    sessions = [session] if session else list(Session.objects.order_by("start_time", "id"))
    spans = [
        (each, set(each.feeds.values_list("channel_id", flat=True)), each.window)
        for each in sessions
    ]
    for message in messages.in_time_order().iterator(ROWS_AT_ONCE):
        holder = next(
            (
                each.pk
                for each, channel_ids, window in spans
                if message.channel_id in channel_ids and message.timestamp in window
            ),
            None,
        )
        yield exported(message, holder)


def exported(message: Message, session_id: int | None) -> dict[str, Any]:
    """The message's values under KEYS; `session_id` is the session that it belongs to."""
    raw = json.loads(message.raw)
    values = (
        str(message.discord_id),
        str(message.channel_id),
        session_id,
        message.type,
        message.timestamp.isoformat(),
        message.edited_at.isoformat() if message.edited_at else None,
        message.deleted_at.isoformat() if message.deleted_at else None,
        raw.get("author"),
        message.content,
        _reply_to(raw.get("reference")),
        *(raw.get(key) or [] for key in KEYS[10:]),
    )
    return dict(zip(KEYS, values, strict=True))


def _reply_to(reference: Any) -> Any:
    """The id of the message that is replied to; other programs' files may hold anything there."""
    return reference.get("messageId") if isinstance(reference, dict) else None

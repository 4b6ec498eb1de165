"""Channels as exports name them: each under the names of the newest export that showed it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection
from django.db.models import Max

from messages_app.document.reader import ExportHeader
from messages_app.models import Channel, Poll

# Exports older than 2.40 do not say when they were made.
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


def store_channel(
    header: ExportHeader, seen_at: datetime | None, *, is_history: bool = False
) -> None:
    """Make the export's channel known, under the names that the newest export shows.

    The first step of every transaction that stores an export. An export of our own shows the names
    as they are at `seen_at`; a file (`is_history`) as they once were.
    """
    _take_write_lock()
    seen_at = seen_at or LONG_AGO
    names = {
        "name": header.channel_name[:200],
        "category": header.category[:200],
        "guild_id": header.guild_id,
    }
    guild_name = header.guild_name[:200]
    channel, is_new = Channel.objects.get_or_create(
        pk=header.channel_id, defaults=names | {"guild_name": guild_name, "named_at": seen_at}
    )
    if not is_new:
        _rename(channel, names | {"guild_name": guild_name}, seen_at, is_history=is_history)
    if header.guild_id:
        _rename_guild(header.guild_id, guild_name, seen_at, is_history=is_history)


def _rename(
    channel: Channel, names: dict[str, object], seen_at: datetime, *, is_history: bool
) -> None:
    now = {key: getattr(channel, key) for key in names}
    if now == names and not is_history:
        return  # so that a poll does not write each time
    known = (_known_at(channel, is_history=is_history), str(now)) if any(now.values()) else None
    if known is None or (seen_at, str(names)) > known:
        Channel.objects.filter(pk=channel.pk).update(**names, named_at=seen_at)


def _known_at(channel: Channel, *, is_history: bool) -> datetime:
    """The latest instant at which the channel is known to have had its names."""
    named_at = channel.named_at or LONG_AGO
    if not is_history:
        return named_at
    polled = Poll.objects.filter(channel=channel, succeeded=True, messages_read__gt=0)
    polled_at = polled.aggregate(latest=Max("started_at"))["latest"]
    return max(named_at, polled_at or LONG_AGO)


def _rename_guild(guild_id: int, name: str, seen_at: datetime, *, is_history: bool) -> None:
    """Give all channels of the guild the name that its newest export shows."""
    of_guild = Channel.objects.filter(guild_id=guild_id)
    if not of_guild.exclude(guild_name=name).exists():
        return
    newest = max(
        of_guild,
        key=lambda channel: (_known_at(channel, is_history=is_history), channel.guild_name),
    )
    of_guild.exclude(guild_name=newest.guild_name).update(guild_name=newest.guild_name)


def _take_write_lock() -> None:
    """Wait for SQLite's one writer now, whose patience is BUSY_TIMEOUT_S.

    A transaction that began by reading fails at its first write, without any patience, where
    another writer was faster in between.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE messages_app_channel SET name = name WHERE 0")

"""An export file played as if it happened now: looped without end along the clock.

The first loop begins at the epoch, so what is shown is a function of the clock alone. Each pass
has ids of its own, made of the new timestamps; a reply points at the copy in its own pass. Any
channel can be asked for: it plays the same conversation, shifted, with ids of its own.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from messages_app.replay.instants import LOW_BITS, parse_date, snowflake, timestamp
from messages_app.replay.problems import Misconfigured
from messages_app.replay.script import (
    HISTORY_MS,
    Change,
    ChannelInfo,
    JsonObject,
    ScriptedMessage,
)

# At least so much time passes between the last message of a pass and the first of the next.
_SHORTEST_PAUSE_MS = 1000
# Ids of one millisecond take this many numbers upwards from the channel's own.
_LOW_SPAN = 1 << LOW_BITS


class _Recorded(NamedTuple):
    offset_ms: int
    rank: int
    edit_delay_ms: int | None
    document: JsonObject


class Recording:
    """A recorded conversation."""

    def __init__(self, document: JsonObject, speed: float = 1.0) -> None:
        """Given an export, prepare its messages. Raise Misconfigured when there are none."""
        self._head = document
        raw = sorted(document["messages"], key=lambda message: int(message["id"]))
        if not raw:
            raise Misconfigured("The recorded export holds no message to play.")
        times = [_instant(message["timestamp"]) for message in raw]
        self._messages: list[_Recorded] = []
        for message, time_ms in zip(raw, times, strict=True):
            offset_ms = int((time_ms - times[0]) / speed)
            before = self._messages[-1] if self._messages else None
            rank = before.rank + 1 if before and before.offset_ms == offset_ms else 1
            edited = message.get("timestampEdited")
            delay_ms = int((_instant(edited) - time_ms) / speed) if edited else None
            self._messages.append(_Recorded(offset_ms, rank, delay_ms, message))
        span_ms = self._messages[-1].offset_ms
        self._period_ms = span_ms + max(span_ms // len(raw), _SHORTEST_PAUSE_MS)
        self._by_id = {recorded.document["id"]: recorded for recorded in self._messages}

    def channels(self, asked: str) -> Sequence[ChannelInfo]:
        """The recorded channel under any id that is asked for."""
        guild, channel = self._head.get("guild", {}), self._head.get("channel", {})
        return [
            ChannelInfo(
                channel_id=asked,
                name=str(channel.get("name", "recording")),
                category_id=str(channel.get("categoryId", "0")),
                category=str(channel.get("category", "Recorded")),
                topic=channel.get("topic"),
                guild_id=str(guild.get("id", "0")),
                guild=str(guild.get("name", "Recorded")),
                icon_url=str(guild.get("iconUrl", "")),
                kind=str(channel.get("type", "GuildTextChat")),
            )
        ]

    def messages(
        self, channel: ChannelInfo, start_ms: int, end_ms: int
    ) -> Iterator[ScriptedMessage]:
        """The messages posted in [start, end), pass after pass; only the last day is remembered."""
        start_ms = max(start_ms, end_ms - HISTORY_MS)
        shift_ms = crc32(channel.channel_id.encode()) % self._period_ms
        if self._head.get("channel", {}).get("id") == channel.channel_id:
            shift_ms = 0
        first_pass = (start_ms - shift_ms) // self._period_ms
        last_pass = (end_ms - shift_ms) // self._period_ms
        for number in range(max(first_pass, 0), last_pass + 1):
            begins_ms = number * self._period_ms + shift_ms
            for recorded in self._messages:
                if start_ms <= begins_ms + recorded.offset_ms < end_ms:
                    yield self._played(channel, begins_ms, recorded)

    def _played(self, channel: ChannelInfo, begins_ms: int, recorded: _Recorded) -> ScriptedMessage:
        posted_ms = begins_ms + recorded.offset_ms
        message_id = _new_id(channel, begins_ms, recorded)
        document = {**recorded.document, "id": str(message_id), "timestamp": timestamp(posted_ms)}
        changes: tuple[Change, ...] = ()
        if recorded.edit_delay_ms is not None:
            document["timestampEdited"] = None
            at_ms = posted_ms + recorded.edit_delay_ms
            changes = (Change(at_ms, {"timestampEdited": timestamp(at_ms)}),)
        if isinstance(document.get("reference"), dict):
            document["reference"] = self._reference(channel, begins_ms, document["reference"])
        return ScriptedMessage(message_id, posted_ms, document, posted_ms, changes)

    def _reference(self, channel: ChannelInfo, begins_ms: int, reference: JsonObject) -> JsonObject:
        target = self._by_id.get(reference.get("messageId"))
        if target is None:
            return reference
        new_id = _new_id(channel, begins_ms, target)
        return {**reference, "messageId": str(new_id), "channelId": channel.channel_id}


def _new_id(channel: ChannelInfo, begins_ms: int, recorded: _Recorded) -> int:
    """An id of the new time; its low bits begin at the channel's own number and keep the order."""
    own = crc32(channel.channel_id.encode()) % (_LOW_SPAN - 4096)
    return snowflake(begins_ms + recorded.offset_ms, own + recorded.rank)


def _instant(text: str) -> int:
    return parse_date(text)[0]

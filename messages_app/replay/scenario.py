"""A conversation written out for a test: what each channel shows, and when.

In Python:

    scenario = Scenario(datetime(2026, 11, 23, 12, 0, tzinfo=UTC))
    chat = scenario.channel("200", name="race-chat")
    first = chat.post(0, "hello")                        # seconds after the start, or a datetime
    chat.post(12.5, "helo", author="Ana", edits=[(15, "hello")], deleted_at=40)
    chat.post(14, "late", visible_at=16.2)
    scenario.save(path)                                  # for REPLAY_SCENARIO
    scenario.shown("200", now)                           # the truth to compare a database with

The file is JSON. A time is a text with an offset, or a number of seconds after `starts_at`:

    {"starts_at": "2026-11-23T12:00:00+00:00",
     "guild": {"id": "100", "name": "Harbour Ride"},
     "channels": {"200": {"name": "race-chat", "category": "Live", "category_id": "150",
                          "topic": null, "messages": [MESSAGE, …]}}}

A MESSAGE has `posted_at`, and may have:
    id           a snowflake as text; left out, it is made from the time. It is of the same
                 millisecond as `posted_at`, as on Discord
    content      its text ("" when left out)
    author       a nickname, or a whole user object
    type         "Default" when left out
    visible_at   when Discord begins to show it (when it is posted)
    edits        [[AT, CHANGE], …]: a text is an edit, and sets timestampEdited; an object replaces
                 those keys of the message and nothing else (reactions, pins, embeds)
    deleted_at, restored_at
    unparsable   what the exporter dies with where a page of a hundred holds this message
    message      keys of the exporter's document to add or replace
    without      keys of the exporter's document to leave out
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

from messages_app.replay import shapes
from messages_app.replay.instants import (
    instant_of,
    milliseconds,
    parse_date,
    snowflake_at,
    timestamp,
)
from messages_app.replay.problems import Misconfigured
from messages_app.replay.script import Change, ChannelInfo, JsonObject, ScriptedMessage, seen

Time = datetime | float | str

_MESSAGE_KEYS = frozenset(
    (
        "posted_at",
        "id",
        "content",
        "author",
        "type",
        "visible_at",
        "edits",
        "deleted_at",
        "restored_at",
        "unparsable",
        "message",
        "without",
    )
)
_FOREVER_MS = 1 << 62
_EPOCH = "1970-01-01T00:00:00+00:00"


class Scenario:
    """A written conversation; `document` is the file's content and the only state."""

    def __init__(
        self, starts_at: datetime, *, guild_id: str = "100", guild: str = "Harbour Ride"
    ) -> None:
        """An empty scenario whose numbers count seconds after the aware moment `starts_at`."""
        self._start_ms = milliseconds(starts_at)
        self.document: JsonObject = {
            "starts_at": starts_at.isoformat(),
            "guild": {"id": guild_id, "name": guild},
            "channels": {},
        }

    @classmethod
    def load(cls, path: str) -> "Scenario":
        """The scenario in a file. Raise Misconfigured when it cannot be read or meant."""
        try:
            with open(path, encoding="utf-8") as file:
                return cls.of_document(json.load(file))
        except (OSError, ValueError) as error:
            raise Misconfigured(f"The scenario {path} cannot be used: {error}") from None

    @classmethod
    def of_document(cls, document: JsonObject) -> "Scenario":
        """The scenario of a file's content."""
        try:
            scenario = cls(datetime.fromisoformat(document.get("starts_at", _EPOCH)))
            scenario.document = {**scenario.document, **document}
            scenario.document["channels"].items()
        except (AttributeError, TypeError, ValueError) as error:
            raise Misconfigured(f"The scenario cannot be meant: {error}") from None
        return scenario

    def save(self, path: object) -> None:
        """Write the file that REPLAY_SCENARIO names."""
        with open(str(path), "w", encoding="utf-8") as file:
            json.dump(self.document, file)

    def channel(
        self, channel_id: str, *, name: str = "", category: str = "Live", category_id: str = "150"
    ) -> "ChannelScript":
        """The channel with this id, added if it is new."""
        entry = self.document["channels"].setdefault(
            channel_id,
            {
                "name": name or f"channel-{channel_id}",
                "category": category,
                "category_id": category_id,
                "messages": [],
            },
        )
        return ChannelScript(self, channel_id, entry["messages"])

    def shown(self, channel_id: str, now: datetime) -> list[JsonObject]:
        """The message documents that this channel shows at `now`, oldest first, all of them."""
        now_ms = milliseconds(now)
        found = self.channels(str(channel_id))
        return [doc for info in found for _, doc in seen(self, info, 0, _FOREVER_MS, now_ms)]

    @property
    def holds_unparsable(self) -> bool:
        """Whether the exporter dies of one of its messages."""
        channels = self.document["channels"].values()
        return any("unparsable" in entry for each in channels for entry in each["messages"])

    def channels(self, asked: str) -> Sequence[ChannelInfo]:
        """The channel with this id, or those of the category with this id; empty: not found."""
        guild, channels = self.document["guild"], self.document["channels"]
        return [
            ChannelInfo(
                channel_id=channel_id,
                name=str(entry.get("name", f"channel-{channel_id}")),
                category_id=str(entry.get("category_id", "150")),
                category=str(entry.get("category", "Live")),
                topic=entry.get("topic"),
                guild_id=str(guild["id"]),
                guild=str(guild["name"]),
            )
            for channel_id, entry in channels.items()
            if asked == channel_id
            or (asked not in channels and asked == str(entry.get("category_id", "150")))
        ]

    def messages(
        self, channel: ChannelInfo, start_ms: int, end_ms: int
    ) -> Sequence[ScriptedMessage]:
        """The messages posted in [start, end), in the order of their ids."""
        entries = self.document["channels"][channel.channel_id]["messages"]
        try:
            scripted = [
                self._message(channel, index, entry)
                for index, entry in enumerate(entries)
                if start_ms <= self.instant(entry["posted_at"]) < end_ms
            ]
        except (KeyError, TypeError, ValueError) as error:
            where = f"A message of channel {channel.channel_id}"
            raise Misconfigured(f"{where} in the scenario cannot be meant: {error!r}") from None
        return sorted(scripted, key=lambda message: message.message_id)

    def instant(self, time: Time) -> int:
        """A time of the file or the builder in milliseconds since 1970."""
        if isinstance(time, datetime):
            return milliseconds(time)
        if isinstance(time, str):
            instant_ms, has_offset = parse_date(time)
            if not has_offset:
                raise ValueError(f"{time} has no offset")
            return instant_ms
        return self._start_ms + timedelta(seconds=time) // timedelta(milliseconds=1)

    def id_of(self, channel_id: str, index: int, time: Time) -> int:
        """The id made for the `index`-th message of a channel.

        Twelve of the low bits are the channel's and ten the index's: messages of one millisecond
        keep their order, and two channels share no id.
        """
        own = crc32(channel_id.encode()) % 4095 + 1
        return snowflake_at(self.instant(time), own << 10 | index & 1023)

    def _message(self, channel: ChannelInfo, index: int, entry: JsonObject) -> ScriptedMessage:
        unknown = entry.keys() - _MESSAGE_KEYS
        if unknown:
            raise ValueError(f"unknown keys {sorted(unknown)}")
        posted_ms = self.instant(entry["posted_at"])
        given = entry.get("id")
        message_id = int(given or self.id_of(channel.channel_id, index, entry["posted_at"]))
        if instant_of(message_id) != posted_ms:
            raise ValueError(f"id {message_id} is not of {entry['posted_at']}")
        author = entry.get("author", "Ana")
        document = shapes.message(
            message_id,
            posted_ms,
            entry.get("content", ""),
            author if isinstance(author, dict) else shapes.user(author),
            entry.get("type", "Default"),
        )
        document = shapes.with_keys(document, entry.get("message", {}))
        for key in entry.get("without", ()):
            document.pop(key, None)
        return ScriptedMessage(
            message_id=message_id,
            posted_ms=posted_ms,
            document=document,
            visible_ms=self._optional(entry, "visible_at") or posted_ms,
            changes=tuple(self._change(at, change) for at, change in entry.get("edits", ())),
            deleted_ms=self._optional(entry, "deleted_at"),
            restored_ms=self._optional(entry, "restored_at"),
            unparsable=str(entry.get("unparsable", "")),
        )

    def _change(self, at: Time, change: str | JsonObject) -> Change:
        at_ms = self.instant(at)
        if isinstance(change, str):
            return Change(at_ms, {"content": change, "timestampEdited": timestamp(at_ms)})
        return Change(at_ms, change)

    def _optional(self, entry: JsonObject, key: str) -> int | None:
        return None if entry.get(key) is None else self.instant(entry[key])


class ChannelScript:
    """One channel of a scenario, to post in."""

    def __init__(self, scenario: Scenario, channel_id: str, messages: list[JsonObject]) -> None:
        """`messages` is the list in the scenario's document."""
        self._scenario = scenario
        self._messages = messages
        self.channel_id = channel_id

    def post(
        self,
        posted_at: Time,
        content: str = "",
        *,
        message_id: int | None = None,
        author: str | Mapping[str, Any] | None = None,
        kind: str | None = None,
        visible_at: Time | None = None,
        edits: Sequence[tuple[Time, str | JsonObject]] = (),
        deleted_at: Time | None = None,
        restored_at: Time | None = None,
        unparsable: str | None = None,
        message: Mapping[str, Any] | None = None,
        without: Sequence[str] = (),
    ) -> str:
        """Add a message and return its id; the arguments are the file's keys."""
        given = message_id or self._scenario.id_of(self.channel_id, len(self._messages), posted_at)
        entry = {
            "id": str(given),
            "posted_at": _plain(posted_at),
            "content": content,
            "author": author,
            "type": kind,
            "visible_at": _plain(visible_at),
            "edits": [[_plain(at), change] for at, change in edits],
            "deleted_at": _plain(deleted_at),
            "restored_at": _plain(restored_at),
            "unparsable": unparsable,
            "message": message,
            "without": list(without),
        }
        self._messages.append({key: value for key, value in entry.items() if value is not None})
        return str(given)


def _plain(time: Time | None) -> float | str | None:
    return time.isoformat() if isinstance(time, datetime) else time

"""The built-in conversation: race talk without end, in any channel, as a function of the clock.

Time is cut into slots of 2.5 seconds; a slot holds one line of a scene, and a scene is followed by
a silent slot. Some lines are edited or deleted seconds later, reactions come one by one.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from messages_app.replay import shapes
from messages_app.replay.demo_lines import BOT, LINES_PER_SCENE, SCENES, Line
from messages_app.replay.instants import snowflake_at, timestamp
from messages_app.replay.script import (
    HISTORY_MS,
    Change,
    ChannelInfo,
    JsonObject,
    ScriptedMessage,
)

SLOT_MS = 2500
_SLOTS_PER_SCENE = LINES_PER_SCENE + 1
# A prime to the number of scenes: all are played before one comes again, in a mixed order.
_SCENE_STEP = 7
_SPREAD_MS = 2000
_EDITED_AFTER_MS = 5000
_DELETED_AFTER_MS = 8000
_REACTION_EVERY_MS = 2500
_NAMES = ("race-chat", "paddock", "fan-zone", "start-finish", "photos")
_FANS = ("Hana", "Emil", "Dara", "Goro")
_MARK = re.compile(r"\{(?:@(?P<user>\w+)|:(?P<emoji>\w+):|(?P<number>n)|(?P<lap>lap))\}")


class _Place(NamedTuple):
    """A slot of a channel."""

    channel: ChannelInfo
    slot: int

    @property
    def scene(self) -> int:
        return self.slot // _SLOTS_PER_SCENE

    def line(self) -> Line | None:
        """What is said in this slot; None in a silent one."""
        position = self.slot % _SLOTS_PER_SCENE
        if position >= LINES_PER_SCENE:
            return None
        offset = crc32(self.channel.channel_id.encode())
        return SCENES[(self.scene * _SCENE_STEP + offset) % len(SCENES)][position]

    def posted_ms(self) -> int:
        return self.slot * SLOT_MS + self.chance("time") % _SPREAD_MS

    def message_id(self) -> int:
        own = crc32(self.channel.channel_id.encode()) % 4095 + 1
        return snowflake_at(self.posted_ms(), own << 10 | self.slot & 1023)

    def chance(self, what: str) -> int:
        """A number that looks random and is always the same."""
        return crc32(f"{self.channel.channel_id} {self.slot} {what}".encode())

    def number(self) -> int:
        """The scene's rider number."""
        return crc32(f"{self.channel.channel_id} {self.scene}".encode()) % 148 + 1


class Demo:
    """The conversation of every channel that one asks for."""

    holds_unparsable = False

    def channels(self, asked: str) -> Sequence[ChannelInfo]:
        """A channel with this id: the demo knows them all."""
        name = _NAMES[crc32(asked.encode()) % len(_NAMES)]
        guild_id, category_id = shapes.stable_id("guild"), shapes.stable_id("category")
        topic = "Everything about today's race"
        return [ChannelInfo(asked, name, category_id, "Live", topic, guild_id, "Harbour Ride")]

    def messages(
        self, channel: ChannelInfo, start_ms: int, end_ms: int
    ) -> Iterator[ScriptedMessage]:
        """The messages posted in [start, end), of which only the last day is remembered."""
        start_ms = max(start_ms, end_ms - HISTORY_MS)
        for slot in range(start_ms // SLOT_MS, end_ms // SLOT_MS + 1):
            place = _Place(channel, slot)
            line = place.line()
            if line is not None and start_ms <= place.posted_ms() < end_ms:
                yield _scripted(place, line)


def _scripted(place: _Place, line: Line) -> ScriptedMessage:
    posted_ms = place.posted_ms()
    changes = []
    if line.first:
        at_ms = posted_ms + _EDITED_AFTER_MS
        text = _text(place, line.text)
        changes.append(Change(at_ms, {"content": text, "timestampEdited": timestamp(at_ms)}))
    for count in range(1, len(line.reactions) + 1):
        at_ms = posted_ms + count * _REACTION_EVERY_MS
        changes.append(Change(at_ms, {"reactions": _reactions(line.reactions[:count])}))
    return ScriptedMessage(
        message_id=place.message_id(),
        posted_ms=posted_ms,
        document=_document(place, line),
        # Discord shows a message a moment late.
        visible_ms=posted_ms + 100 + place.chance("late") % 400,
        changes=tuple(changes),
        deleted_ms=posted_ms + _DELETED_AFTER_MS if line.deleted else None,
    )


def _document(place: _Place, line: Line) -> JsonObject:
    author = shapes.user(line.author, is_bot=line.author == BOT)
    said = line.first or line.text
    kind = "Reply" if line.reply else line.kind
    document = shapes.message(
        place.message_id(), place.posted_ms(), _text(place, said), author, kind
    )
    document["isPinned"] = line.pinned
    if line.photo:
        attachment_id = place.message_id() + 1
        size = 40_000 + place.chance("size") % 4_000_000
        channel_id = place.channel.channel_id
        document["attachments"] = [shapes.attachment(channel_id, attachment_id, line.photo, size)]
    if line.sticker:
        document["stickers"] = [shapes.sticker(line.sticker)]
    if line.card:
        title, description = line.card
        card = shapes.embed(title, "https://example.org/results", _text(place, description))
        document["embeds"] = [card]
    marks = list(_MARK.finditer(line.text))
    document["mentions"] = [shapes.user(mark["user"]) for mark in marks if mark["user"]]
    document["inlineEmojis"] = [
        shapes.emoji(mark["emoji"], shapes.stable_id(mark["emoji"]))
        for mark in marks
        if mark["emoji"]
    ]
    if line.reply:
        answered = _Place(place.channel, place.slot - line.reply)
        channel = place.channel
        keys = shapes.reference(channel.channel_id, channel.guild_id, answered.message_id())
        document = shapes.with_keys(document, {"reference": keys})
    return document


def _text(place: _Place, text: str) -> str:
    def said(mark: re.Match[str]) -> str:
        if mark["user"]:
            return f"<@{shapes.stable_id(mark['user'])}>"
        if mark["emoji"]:
            return f"<:{mark['emoji']}:{shapes.stable_id(mark['emoji'])}>"
        return str(place.number() if mark["number"] else place.scene % 12 + 1)

    return _MARK.sub(said, text)


def _reactions(characters: str) -> list[JsonObject]:
    """One reaction per kind of emoji, each by as many fans as it stands there."""
    return [
        shapes.reaction(shapes.emoji(character), list(_FANS[: characters.count(character)]))
        for character in dict.fromkeys(characters)
    ]

"""What a conversation is made of: channels, messages, and what becomes of a message in time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

JsonObject = dict[str, Any]

# How far back an endless conversation goes from the end of what is asked: one day.
HISTORY_MS = 86_400_000


class ChannelInfo(NamedTuple):
    """A channel as the head of the document describes it."""

    channel_id: str
    name: str
    category_id: str
    category: str
    topic: str | None
    guild_id: str
    guild: str
    icon_url: str = "https://cdn.discordapp.com/embed/avatars/0.png"
    kind: str = "GuildTextChat"


class Change(NamedTuple):
    """From `at_ms` on, these keys of the message's document have these values."""

    at_ms: int
    keys: JsonObject


class ScriptedMessage(NamedTuple):
    """One message: its document as first shown, and when it appears, changes, goes and returns.

    `unparsable` is what the exporter dies with when it meets the message.
    """

    message_id: int
    posted_ms: int
    document: JsonObject
    visible_ms: int
    changes: tuple[Change, ...] = ()
    deleted_ms: int | None = None
    restored_ms: int | None = None
    unparsable: str = ""

    def at(self, now_ms: int) -> JsonObject | None:
        """The document that Discord shows at `now_ms`, or None while there is nothing to see."""
        if now_ms < max(self.visible_ms, self.posted_ms):
            return None
        gone = self.deleted_ms is not None and self.deleted_ms <= now_ms
        if gone and (self.restored_ms is None or now_ms < self.restored_ms):
            return None
        shown = dict(self.document)
        for change in self.changes:
            if change.at_ms <= now_ms:
                shown.update(change.keys)
        return shown


class Conversation(Protocol):
    """Something that can be played."""

    @property
    def holds_unparsable(self) -> bool:
        """Whether the exporter dies of one of its messages."""

    def channels(self, asked: str) -> Sequence[ChannelInfo]:
        """The channel with this id, or those of the category with this id; empty: not found."""

    def messages(
        self, channel: ChannelInfo, start_ms: int, end_ms: int
    ) -> Iterable[ScriptedMessage]:
        """The messages posted in [start, end), in the order of their ids."""


def seen(
    conversation: Conversation, channel: ChannelInfo, start_ms: int, end_ms: int, now_ms: int
) -> Iterator[tuple[int, JsonObject]]:
    """Yield id and document of each message posted in [start, end) that shows at `now_ms`."""
    for message in conversation.messages(channel, start_ms, end_ms):
        document = message.at(now_ms)
        if document is not None:
            yield message.message_id, document

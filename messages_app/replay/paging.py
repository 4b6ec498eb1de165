"""Which messages an export holds, and what ends it: the channel is read by pages of a hundred.

The newest message before the upper bound is looked up first; its millisecond ends the export. Then
come pages of the messages behind the lower bound, each parsed whole, also beyond the upper bound,
until one reaches that millisecond or is empty.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from messages_app.replay.instants import instant_of
from messages_app.replay.presentation import Version
from messages_app.replay.problems import EXCEPTION, Crashed
from messages_app.replay.script import ChannelInfo, Conversation, JsonObject

PAGE = 100
_PARSING = "System.InvalidOperationException"
# The texts of these are the exporter's own sentences; Discord gives none.
_WITH_TEXT = ("Default", "Reply")
_INTENT_TOLD_ANEW: Version = (2, 47)


class Shown(NamedTuple):
    """A message as Discord shows it; `unparsable` is what the exporter dies with, or ""."""

    message_id: int
    document: JsonObject
    unparsable: str = ""


class Pages(NamedTuple):
    """The messages that were read, and the exception that ended it, if one did."""

    messages: list[JsonObject]
    death: Crashed | None = None


def shown_messages(
    conversation: Conversation, channel: ChannelInfo, start_ms: int, end_ms: int, now_ms: int
) -> Iterator[Shown]:
    """The messages posted in [start, end) that show at `now_ms`, in the order of their ids."""
    for message in conversation.messages(channel, start_ms, end_ms):
        document = message.at(now_ms)
        if document is not None:
            yield Shown(message.message_id, document, message.unparsable)


def read_pages(
    shown: Sequence[Shown],
    after: int,
    before: int | None,
    *,
    blank: bool,
    version: Version,
    most: int | None = None,
) -> Pages:
    """Read what stands between the bounds, both excluded, of all that the channel shows.

    `blank` where Discord leaves the texts of messages empty; `most` is how many messages it lists
    before a page comes empty.
    """
    last = max((m for m in shown if before is None or m.message_id < before), default=None)
    if last is None or instant_of(last.message_id) < instant_of(after):
        return Pages([], _unparsable([last]) if last else None)
    read: list[JsonObject] = []
    if death := _unparsable([last]):
        return Pages(read, death)
    for page in _pages([message for message in shown if message.message_id > after][:most]):
        if death := _unparsable(page) or (_intent_missing(page, version) if blank else None):
            return Pages(read, death)
        for message in page:
            if instant_of(message.message_id) > instant_of(last.message_id):
                return Pages(read)
            read.append(_blank(message.document) if blank else message.document)
    return Pages(read)


def _pages(messages: Sequence[Shown]) -> Iterator[Sequence[Shown]]:
    for start in range(0, len(messages), PAGE):
        yield messages[start : start + PAGE]


def _unparsable(page: Sequence[Shown]) -> Crashed | None:
    words = next((message.unparsable for message in page if message.unparsable), "")
    return Crashed(f"{_PARSING}: {words}") if words else None


def _intent_missing(page: Sequence[Shown], version: Version) -> Crashed | None:
    """What it dies with where nobody has said anything on a whole page."""
    for message in page:
        shown = _blank(message.document)
        has_text = shown.get("type") in _WITH_TEXT and shown.get("content")
        if has_text or shown.get("attachments") or shown.get("embeds"):
            return None
    told = (
        "This bot is missing the MESSAGE_CONTENT privileged intent."
        if version >= _INTENT_TOLD_ANEW
        else "Provided bot account does not have the Message Content Intent enabled."
    )
    return Crashed(f"{EXCEPTION}: {told}")


def _blank(document: JsonObject) -> JsonObject:
    """The message as Discord gives it to a bot without the intent: a bot sees its own."""
    if document.get("type") not in _WITH_TEXT or document.get("author", {}).get("isBot"):
        return document
    return {**document, "content": "", "attachments": [], "embeds": []}

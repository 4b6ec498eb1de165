"""How a message looks in one run: time zone, signed addresses, names, a version to come."""

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from messages_app.replay.instants import in_local_time, in_utc, timestamp
from messages_app.replay.problems import Misconfigured
from messages_app.replay.script import JsonObject

Version = tuple[int, ...]
CURRENT: Version = (2, 47)
QUIET_IS_FINE: Version = (2, 45)
_COMPONENTS: Version = (2, 48)
_TIMES = ("timestamp", "timestampEdited", "callEndedTimestamp")
_EMBED_TEXTS = ("title", "description")
_ATTACHMENT = "https://cdn.discordapp.com/attachments/"
_AVATAR = re.compile(
    r"(https://cdn\.discordapp\.com/(?:avatars|guilds)/[^?]*/(?:a_)?)[0-9a-f]{32}\b"
)
_MARKUP = re.compile(r"<(@!?|@&|#|a?:(?P<emoji>\w+):|t:)(?P<id>-?\d+)(?::\w)?>")


class Presentation(NamedTuple):
    """The choices of one run. `signature` is 32 random bytes: signed addresses never repeat."""

    utc: bool
    markdown: bool
    version: Version
    now_ms: int
    signature: str

    @classmethod
    def of_run(cls, *, utc: bool, markdown: bool, version: Version, now_ms: int) -> "Presentation":
        """A presentation with a signature of its own."""
        return cls(utc, markdown, version, now_ms, os.urandom(32).hex())

    def exported_at(self) -> str:
        """When the export ran, to a tenth of a microsecond."""
        return self.time(timestamp(self.now_ms, ticks=int(self.signature[:4], 16) % 10_000))

    def time(self, text: str) -> str:
        """A timestamp with the offset that was asked for."""
        return in_utc(text) if self.utc else in_local_time(text)

    def of(self, message: JsonObject) -> JsonObject:
        """The message as this run writes it; the one given is left as it was."""
        shown = _copy(message)
        for part in _parts_with_times(shown):
            for key in _TIMES:
                if isinstance(part.get(key), str):
                    part[key] = self.time(part[key])
        for person in _users(shown):
            if isinstance(person.get("avatarUrl"), str):
                person["avatarUrl"] = _AVATAR.sub(
                    rf"\g<1>{self.signature[:32]}", person["avatarUrl"]
                )
        for attachment in _attachments(shown):
            if str(attachment.get("url", "")).startswith(_ATTACHMENT):
                attachment["url"] = self._signed(attachment["url"])
        if self.markdown:
            _flatten(shown)
        return self._as_of_version(shown)

    def _signed(self, url: str) -> str:
        """Discord's addresses expire: `ex` and `is` are hexadecimal seconds, `hm` signs them."""
        now_s = self.now_ms // 1000
        bare = url.partition("?")[0]
        return f"{bare}?ex={now_s + 86400:x}&is={now_s:x}&hm={self.signature}&"

    def _as_of_version(self, shown: JsonObject) -> JsonObject:
        if self.version < _COMPONENTS or "components" in shown or "embeds" not in shown:
            return shown
        ordered: JsonObject = {}
        for key, value in shown.items():
            if key == "embeds":
                ordered["components"] = []
            ordered[key] = value
        return ordered


def parse_version(text: str) -> Version:
    """`2.40.4` as numbers; an empty text is the current version. Raise Misconfigured."""
    if not text:
        return CURRENT
    try:
        return tuple(int(part) for part in text.split("."))
    except ValueError:
        raise Misconfigured(f"REPLAY_VERSION is no version like 2.47: {text!r}") from None


def _copy(message: JsonObject) -> JsonObject:
    """A deep copy of plain JSON."""

    def copied(value: object) -> object:
        if isinstance(value, dict):
            return {key: copied(item) for key, item in value.items()}
        if isinstance(value, list):
            return [copied(item) for item in value]
        return value

    return {key: copied(value) for key, value in message.items()}


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _parts_with_times(message: JsonObject) -> Iterator[JsonObject]:
    yield message
    yield from _objects(message.get("embeds"))
    yield from _objects([message.get("forwardedMessage")])


def _attachments(message: JsonObject) -> Iterator[JsonObject]:
    for part in (message, *_objects([message.get("forwardedMessage")])):
        yield from _objects(part.get("attachments"))


def _flatten(message: JsonObject) -> None:
    """Replace markup by names, in the texts that the exporter formats."""
    named = _naming(message)
    texts = [(message, "content")]
    texts += [(embed, key) for embed in _objects(message.get("embeds")) for key in _EMBED_TEXTS]
    for part, key in texts:
        if isinstance(part.get(key), str):
            part[key] = _MARKUP.sub(named, part[key])


def _users(message: JsonObject) -> Iterator[JsonObject]:
    yield from _objects([message.get("author")])
    yield from _objects(message.get("mentions"))
    for reaction in _objects(message.get("reactions")):
        yield from _objects(reaction.get("users"))
    for interaction in _objects([message.get("interaction")]):
        yield from _objects([interaction.get("user")])


def _naming(message: JsonObject) -> Callable[[re.Match[str]], str]:
    """What each piece of markup flattens to, given the users that the message mentions."""
    names = {user.get("id"): user.get("nickname") for user in _objects(message.get("mentions"))}

    def named(match: re.Match[str]) -> str:
        mark = match[1]
        if match["emoji"]:
            return f":{match['emoji']}:"
        if mark in ("@", "@!"):
            return f"@{names.get(match['id'], 'Unknown')}"
        if mark == "t:":
            return time.strftime("%m/%d/%Y %H:%M", time.gmtime(int(match["id"])))
        return "@deleted-role" if mark == "@&" else "#deleted-channel"

    return named

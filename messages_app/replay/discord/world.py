"""The world that is served: one guild with its bot, and what changes about it in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from messages_app.replay.discord import access, objects
from messages_app.replay.discord.faults import Faults
from messages_app.replay.discord.limits import Limits
from messages_app.replay.instants import instant_of
from messages_app.replay.script import ChannelInfo, Conversation, JsonObject, ScriptedMessage

TOKEN = "the.test.token"  # noqa: S105 - opens nothing
BOT_ID, APPLICATION_ID, BOT_ROLE = "9000", "9001", "9100"
# The bits of an application that may read contents, of a bot in few and in many guilds.
LIMITED_INTENT, INTENT = 1 << 19, 1 << 18
_FOREVER_MS = 1 << 62
_PERMISSIONS = access.VIEW | access.HISTORY | access.CONNECT


@dataclass
class Change:
    """From `start_ms` until `end_ms`, what holds otherwise.

    `deny` are permissions that the bot lacks, in one channel or everywhere; `no_intent` blanks
    contents; `gone` takes the channel away; `bad_token` refuses the token.
    """

    start_ms: int = 0
    end_ms: int = _FOREVER_MS
    channel: str = ""
    deny: int = 0
    no_intent: bool = False
    gone: bool = False
    bad_token: bool = False


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class World:
    """A guild that plays a conversation; whoever tests changes it as it is served.

    `types` gives channels another type than 0; `parents` makes threads: their channel's id by
    theirs. `channel_ids` are the guild's. `latency_s` is what each call takes.
    """

    conversation: Conversation
    channel_ids: Sequence[str]
    clock: Callable[[], int] = _now_ms
    token: str = TOKEN
    latency_s: float = 0.0
    owner_id: str = "9999"
    types: dict[str, int] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    overwrites: dict[str, list[JsonObject]] = field(default_factory=dict)
    roles: list[JsonObject] = field(default_factory=list)
    members: dict[str, JsonObject] = field(default_factory=dict)
    events: list[JsonObject] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    limits: Limits = field(default_factory=Limits)
    # Seconds by which Discord's clock is ahead of `clock`.
    clock_error_s: float = 0.0
    _users: dict[str, JsonObject] = field(default_factory=dict)

    @property
    def now_ms(self) -> int:
        return self.clock() + round(self.clock_error_s * 1000)

    def change(self, **values: Any) -> None:
        self.changes.append(Change(**values))

    def is_token(self, authorization: str) -> bool:
        is_refused = any(change.bad_token for change in self._holding())
        return authorization == f"Bot {self.token}" and not is_refused

    def me(self) -> JsonObject:
        return {
            "id": BOT_ID,
            "username": "poller",
            "discriminator": "0",
            "global_name": None,
            "avatar": None,
            "bot": True,
        }

    def application(self) -> JsonObject:
        has_intent = not any(change.no_intent for change in self._holding())
        flags = LIMITED_INTENT if has_intent else 0
        return {"id": APPLICATION_ID, "name": "poller", "flags": flags, "bot": self.me()}

    def guild(self) -> JsonObject:
        info = self._info(self.channel_ids[0])
        everywhere = sum(change.deny for change in self._holding() if not change.channel)
        everyone = {
            "id": info.guild_id,
            "name": "@everyone",
            "color": 0,
            "position": 0,
            "permissions": "0",
        }
        mine = {
            "id": BOT_ROLE,
            "name": "poller",
            "color": 0,
            "position": 1,
            "permissions": str(_PERMISSIONS & ~everywhere),
        }
        return {
            "id": info.guild_id,
            "name": info.guild,
            "icon": None,
            "owner_id": self.owner_id,
            "roles": [everyone, mine, *self.roles],
        }

    def member(self, user_id: str) -> JsonObject | None:
        if user_id == BOT_ID:
            return {"user": self.me(), "nick": None, "avatar": None, "roles": [BOT_ROLE]}
        if user_id in self.members:
            return self.members[user_id]
        if user_id in self._users:
            return {"user": self._users[user_id], "nick": None, "avatar": None, "roles": []}
        return None

    def channels(self) -> list[JsonObject]:
        """The guild's channels with their category; no threads."""
        info = self._info(self.channel_ids[0])
        category = {
            "id": info.category_id,
            "type": 4,
            "name": info.category,
            "parent_id": None,
            "guild_id": info.guild_id,
            "permission_overwrites": [],
        }
        shown = [self.channel(each) for each in self.channel_ids if each not in self.parents]
        return [category, *(each for each in shown if each)]

    def active_threads(self) -> list[JsonObject]:
        return [thread for each in self.parents if (thread := self.channel(each))]

    def channel(self, channel_id: str) -> JsonObject | None:
        if channel_id not in self.channel_ids or self._is_gone(channel_id):
            return None
        info = self._info(channel_id)
        newest = self._newest(channel_id)
        raw: JsonObject = {
            "id": channel_id,
            "type": self.types.get(channel_id, 0),
            "name": info.name,
            "topic": info.topic,
            "guild_id": info.guild_id,
            "parent_id": info.category_id,
            "last_message_id": str(newest) if newest else None,
        }
        if channel_id in self.parents:
            raw |= {
                "type": self.types.get(channel_id, 11),
                "parent_id": self.parents[channel_id],
                "thread_metadata": {"archived": False, "auto_archive_duration": 60},
            }
            del raw["topic"]
        else:
            raw["permission_overwrites"] = self._overwrites(channel_id)
        return raw

    def may_view(self, channel_id: str) -> bool:
        return access.may_view(self._granted(channel_id))

    def messages(
        self, channel_id: str, limit: int, after: int | None, before: int | None
    ) -> list[JsonObject]:
        """A page as Discord lists it, newest first; empty where the history may not be read."""
        kind = self.types.get(channel_id, 0)
        if not access.may_read(self._granted(channel_id), kind):
            return []
        if after is not None:
            page = self._page_after(channel_id, limit, after, before)
        else:
            page = self._page_before(channel_id, limit, before)
        return [self._as_seen(raw) for raw in reversed(page)]

    def reacted(self, channel_id: str, message_id: str, emoji: str) -> list[JsonObject] | None:
        posted_ms = instant_of(int(message_id))
        for each in self._messages(channel_id, posted_ms, posted_ms + 1):
            document = each.at(self.now_ms)
            if document is not None and document["id"] == message_id:
                for reaction in document["reactions"]:
                    if objects.emoji_key(reaction["emoji"]) == emoji:
                        users = [objects.user(user) for user in reaction["users"]]
                        return sorted(users, key=lambda user: int(user["id"]))
        return None

    def _page_after(
        self, channel_id: str, limit: int, after: int, before: int | None
    ) -> list[JsonObject]:
        page: list[JsonObject] = []
        for raw in self._shown(channel_id, instant_of(after), self.now_ms + 1):
            if int(raw["id"]) > after and (before is None or int(raw["id"]) < before):
                page.append(raw)
                if len(page) == limit:
                    break
        return page

    def _page_before(self, channel_id: str, limit: int, before: int | None) -> list[JsonObject]:
        end_ms = self.now_ms if before is None else min(instant_of(before), self.now_ms)
        for start_ms in _further_back(end_ms):
            shown = self._shown(channel_id, start_ms, end_ms + 1)
            page = [raw for raw in shown if before is None or int(raw["id"]) < before]
            if len(page) >= limit:
                return page[-limit:]
        return page

    def _newest(self, channel_id: str) -> int | None:
        """The newest message's id as Discord keeps it, who does not take back a deleted one's."""
        now_ms = self.now_ms
        for start_ms in _further_back(now_ms):
            ids = [
                each.message_id
                for each in self._messages(channel_id, start_ms, now_ms + 1)
                if max(each.visible_ms, each.posted_ms) <= now_ms
            ]
            if ids:
                return max(ids)
        return None

    def _shown(self, channel_id: str, start_ms: int, end_ms: int) -> Iterator[JsonObject]:
        guild_id = self._info(channel_id).guild_id
        for each in self._messages(channel_id, start_ms, end_ms):
            document = each.at(self.now_ms)
            if document is not None:
                raw = objects.message(document, channel_id, guild_id)
                for user in (raw["author"], *raw["mentions"]):
                    if user:
                        self._users[user["id"]] = user
                yield raw

    def _as_seen(self, raw: JsonObject) -> JsonObject:
        """What the bot is shown: nothing of what others wrote, without the intent."""
        if not any(change.no_intent for change in self._holding()):
            return raw
        if raw["author"]["id"] == BOT_ID or any(each["id"] == BOT_ID for each in raw["mentions"]):
            return raw
        blank = {**raw, "content": "", "embeds": [], "attachments": [], "components": []}
        blank.pop("poll", None)
        return blank

    def _messages(self, channel_id: str, start_ms: int, end_ms: int) -> Iterable[ScriptedMessage]:
        return self.conversation.messages(self._info(channel_id), start_ms, end_ms)

    def _granted(self, channel_id: str) -> int:
        source = self.parents.get(channel_id, channel_id)
        overwrites = {"permission_overwrites": self._overwrites(source)}
        return access.permissions(self.guild(), overwrites, BOT_ID, [BOT_ROLE])

    def _overwrites(self, channel_id: str) -> list[JsonObject]:
        denied = [
            {"id": BOT_ID, "type": 1, "deny": str(change.deny), "allow": "0"}
            for change in self._holding()
            if change.deny and change.channel == channel_id
        ]
        return [*self.overwrites.get(channel_id, ()), *denied[:1]]

    def _is_gone(self, channel_id: str) -> bool:
        return any(change.gone and change.channel in ("", channel_id) for change in self._holding())

    def _holding(self) -> list[Change]:
        now_ms = self.now_ms
        return [change for change in self.changes if change.start_ms <= now_ms < change.end_ms]

    def _info(self, channel_id: str) -> ChannelInfo:
        return self.conversation.channels(channel_id)[0]


def _further_back(end_ms: int) -> Iterator[int]:
    """Where to begin looking for what comes before `end_ms`: ever further back."""
    span_ms = 60_000
    while span_ms < end_ms:
        yield end_ms - span_ms
        span_ms *= 16
    yield 0

"""What is known of guilds while a run lasts: channels and their news, roles, what the bot may do.

Names may be a day old. What proves something may not: `Place.date` tells of when its channel's news
are, and `missing_permissions` reads roles, own member and overwrites again, so that its answer is
younger than the list that made somebody doubt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from messages_app.discord import permissions
from messages_app.discord.client import ApiError, Client, Patience
from messages_app.discord.limits import Route
from messages_app.discord.names import NAMES_AGE_S, GuildNames, Names
from messages_app.discord.people import Member, member_from, told
from messages_app.errors import ExporterFailed, PollerError, WrongChannel

JsonObject = Mapping[str, Any]

# The exporter's document has this for a conversation that is in no guild.
NO_GUILD = "0"
CATEGORY, FORUM, MEDIA = 4, 15, 16
THREADS = (10, 11, 12)
PRIVATE_THREAD = 12
# News older than this are asked for again before a window counts as quiet.
NEWS_AGE_S = 15.0

UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MEMBER = 10003, 10004, 10007

# Either of them lets the bot read contents: verified for many guilds, or limited to a few.
_CONTENT_INTENTS = 1 << 18 | 1 << 19


@dataclass(frozen=True)
class Place:
    """A channel as the API told of it at `date` (Discord's clock; the earliest that it can be).

    `parent` is a category, or a thread's channel.
    """

    raw: JsonObject
    guild_id: str
    parent: JsonObject | None
    date: datetime

    @property
    def channel_id(self) -> str:
        return str(self.raw["id"])

    @property
    def kind(self) -> int:
        return int(self.raw["type"])

    @property
    def last_message_id(self) -> int:
        """The newest message's, which may be deleted; 0 where there never was one."""
        return int(self.raw.get("last_message_id") or 0)


@dataclass(frozen=True)
class _Listed:
    """The channels of a guild as one call told them."""

    channels: Mapping[str, JsonObject]
    date: datetime
    read_at: float


class Knowledge:
    """What one run knows; safe to use from several threads."""

    def __init__(self, client: Client, names: Names, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock
        self.names = names
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}
        self._listed: dict[str, _Listed] = {}
        self._threads: dict[str, _Listed] = {}
        self._me: tuple[str, int, float] | None = None

    def place(self, channel_id: str, patience: Patience) -> Place:
        """Find the channel; raise ExporterFailed where there is none that the bot can see."""
        guild_id = self._guild_of(channel_id)
        if guild_id and guild_id != NO_GUILD:
            listed = self._channels(guild_id, patience, NEWS_AGE_S)
            if channel_id in listed.channels:
                raw = listed.channels[channel_id]
                parent = listed.channels.get(str(raw.get("parent_id")))
                return Place(raw, guild_id, parent, listed.date)
            threads = self._active_threads(guild_id, patience, NEWS_AGE_S)
            if channel_id in threads.channels:
                raw = threads.channels[channel_id]
                parent = listed.channels.get(str(raw.get("parent_id")))
                return Place(raw, guild_id, parent, threads.date)
        return self._place_alone(channel_id, patience)

    def guild(self, guild_id: str, patience: Patience) -> GuildNames:
        """The guild's names and roles, which may be a day old."""
        known = self.names.guilds.get(guild_id)
        if known and (self._clock() - known.read_at).total_seconds() < NAMES_AGE_S:
            return known
        return self._read_guild(guild_id, patience)

    def knows(self, guild_id: str, user_id: str, age_s: float) -> bool:
        """Whether a user's names were read at most `age_s` ago."""
        known = self.names.members.get(guild_id, {}).get(user_id)
        if known is None or known.read_at is None:
            return False
        return (self._clock() - known.read_at).total_seconds() < age_s

    def seems_forbidden(self, place: Place) -> bool:
        """Whether the bot may not read the channel by what is known, which may be a day old."""
        guild = self.names.guilds.get(place.guild_id)
        if guild is None:
            return False
        member = self.names.members.get(place.guild_id, {}).get(guild.bot_id)
        if member is None:
            return False
        return bool(permissions.missing(_permissions(place, guild, member), place.kind))

    def missing_permissions(self, place: Place, patience: Patience) -> list[str]:
        """Read all again that decides; return the names of what the bot lacks to read here."""
        return permissions.missing(self._permissions_now(place, patience), place.kind)

    def granted(self, place: Place, patience: Patience) -> list[str]:
        """Read all again that decides; return the names of what the bot may do here to read."""
        return permissions.granted(self._permissions_now(place, patience))

    def _permissions_now(self, place: Place, patience: Patience) -> int:
        bot_id = self.me(patience)[0]
        guild = replace(self._read_guild(place.guild_id, patience), bot_id=bot_id)
        self._keep_guild(guild)
        member = self.read_member(place.guild_id, bot_id, patience)
        listed = self._channels(place.guild_id, patience, 0.0)
        fresh = listed.channels.get(str(_source(place)["id"]))
        if fresh is None:
            raise no_such_channel()
        is_thread = place.kind in THREADS
        now = replace(place, parent=fresh) if is_thread else replace(place, raw=fresh)
        return _permissions(now, guild, member)

    def me(self, patience: Patience, age_s: float = 3600.0) -> tuple[str, bool]:
        """The bot's user id, and whether it may read contents; read again if older than `age_s`."""
        known = self._me
        if known is None or time.monotonic() - known[2] > age_s:
            asked_at = time.monotonic()
            answer, _date = self._object("/applications/@me", Route("applications/@me"), patience)
            bot = answer.get("bot")
            my_id = str(bot["id"] if isinstance(bot, dict) else answer["id"])
            known = self._me = (my_id, int(answer.get("flags") or 0), asked_at)
        return known[0], bool(known[1] & _CONTENT_INTENTS)

    def _guild_of(self, channel_id: str) -> str | None:
        for guild_id, listed in list(self._listed.items()):
            if channel_id in listed.channels:
                return guild_id
        return self.names.guild_of.get(channel_id)

    def _place_alone(self, channel_id: str, patience: Patience) -> Place:
        """Look up a channel whose guild is not known yet, or that its guild does not list."""
        try:
            route = Route("channels", channel_id)
            raw, date = self._object(f"/channels/{channel_id}", route, patience)
        except ApiError as error:
            raise why_not(error) from None
        guild_id = str(raw.get("guild_id") or NO_GUILD)
        self.names.guild_of[channel_id] = guild_id
        parent = None
        if raw.get("parent_id") and guild_id != NO_GUILD:
            listed = self._channels(guild_id, patience, NEWS_AGE_S)
            parent = listed.channels.get(str(raw["parent_id"]))
        return Place(raw, guild_id, parent, date)

    def _channels(self, guild_id: str, patience: Patience, age_s: float) -> _Listed:
        return self._list(
            self._listed, guild_id, patience, age_s, f"/guilds/{guild_id}/channels", None
        )

    def _active_threads(self, guild_id: str, patience: Patience, age_s: float) -> _Listed:
        path = f"/guilds/{guild_id}/threads/active"
        return self._list(self._threads, guild_id, patience, age_s, path, "threads")

    def _list(
        self,
        known: dict[str, _Listed],
        guild_id: str,
        patience: Patience,
        age_s: float,
        path: str,
        key: str | None,
    ) -> _Listed:
        """A list that is at most `age_s` old; one thread reads it, the others wait for that."""
        wanted_at = time.monotonic()
        with self._lock:
            reading = self._reading.setdefault(path, threading.Lock())
        with reading:
            found = known.get(guild_id)
            if found and found.read_at >= wanted_at - age_s:
                return found
            asked_at = time.monotonic()
            try:
                route = Route(path.rpartition("/")[2], guild_id)
                answer, date = self._client.get(path, route, patience)
            except ApiError as error:
                raise why_not(error) from None
            listed = answer.get(key) if key and isinstance(answer, dict) else answer
            if not isinstance(listed, list):
                raise odd_answer()
            channels = {str(one["id"]): one for one in listed if isinstance(one, dict)}
            found = known[guild_id] = _Listed(channels, date, asked_at)
            return found

    def _read_guild(self, guild_id: str, patience: Patience) -> GuildNames:
        try:
            raw, _date = self._object(f"/guilds/{guild_id}", Route("guilds", guild_id), patience)
        except ApiError as error:
            raise why_not(error) from None
        guild = GuildNames(
            guild_id,
            str(raw.get("name") or ""),
            told(raw.get("icon")),
            str(raw.get("owner_id") or ""),
            tuple(raw.get("roles") or ()),
            self._clock(),
            known.bot_id if (known := self.names.guilds.get(guild_id)) else "",
        )
        self._keep_guild(guild)
        return guild

    def _keep_guild(self, guild: GuildNames) -> None:
        self.names.guilds[guild.guild_id] = self.names.new_guilds[guild.guild_id] = guild

    def read_member(self, guild_id: str, user_id: str, patience: Patience) -> Member:
        """Ask what the guild knows of a user, which is nothing of one that has left."""
        route = Route("guilds/members", guild_id)
        try:
            raw, _date = self._object(f"/guilds/{guild_id}/members/{user_id}", route, patience)
            member = member_from(raw)
        except ApiError as error:
            if error.status != 404:
                raise why_not(error) from None
            member = Member()
        member = replace(member, read_at=self._clock())
        self.names.members.setdefault(guild_id, {})[user_id] = member
        self.names.new_members[guild_id, user_id] = member
        return member

    def _object(
        self, path: str, route: Route, patience: Patience
    ) -> tuple[dict[str, Any], datetime]:
        answer, date = self._client.get(path, route, patience)
        if not isinstance(answer, dict):
            raise odd_answer()
        return answer, date


def _source(place: Place) -> JsonObject:
    """The channel whose overwrites count: a thread has none of its own."""
    return place.parent if place.kind in THREADS and place.parent else place.raw


def _permissions(place: Place, guild: GuildNames, member: Member) -> int:
    base = permissions.in_guild(
        guild.guild_id, guild.roles, member.roles, owner=guild.owner_id == guild.bot_id
    )
    return permissions.in_channel(
        base,
        _source(place).get("permission_overwrites") or (),
        guild.guild_id,
        guild.bot_id,
        member.roles,
    )


def check_kind(place: Place) -> None:
    """Raise WrongChannel where the channel holds no messages of its own."""
    what = {
        CATEGORY: "is a category: name its channels instead",
        FORUM: "is a forum, which holds only threads: name its posts' ids instead",
        MEDIA: "is a media channel, which holds only threads: name its posts' ids instead",
    }.get(place.kind)
    if what:
        raise WrongChannel(f"{place.channel_id} {what}.")


def forbidden(missing: list[str]) -> ExporterFailed:
    """A channel that the bot may not read, with what it lacks."""
    names = (
        " and ".join(missing)
        if len(missing) < 3
        else f"{', '.join(missing[:-1])} and {missing[-1]}"
    )
    plural = "permissions" if len(missing) > 1 else "permission"
    return ExporterFailed(f"The bot may not read the channel: give it the {plural} {names} there.")


def no_such_channel() -> ExporterFailed:
    return ExporterFailed(
        "Discord knows no such channel, or the bot is not in its guild: check the channel id, and "
        "invite the bot with the address of `discord-poller invite`."
    )


def why_not(error: ApiError) -> PollerError:
    """What a refusal by Discord means, and what to do."""
    if error.status == 404:
        return no_such_channel()
    if error.status == 403:
        return forbidden(["View Channel", "Read Message History"])
    return ExporterFailed(
        f"Discord refused a call ({error}): the window will be read again; if this repeats, tell "
        "the project."
    )


def odd_answer() -> ExporterFailed:
    return ExporterFailed(
        "Discord's answer has another form than documented: the window will be read again; look "
        "for a newer release if this repeats."
    )

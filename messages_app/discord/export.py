"""One window of one channel: asked, named, written as the exporter's document, and what it proves.

Pages are read oldest first, so that what was read is a whole beginning of the window at any time.
Where a list is empty or lacks a message that is known, permissions are read again afterwards: an
account without Read Message History sees an empty channel. Where a message is blank, the intent
is: without it, contents come empty. Such blank messages are not written, so that they overwrite
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from messages_app.discord import guilds, pictures
from messages_app.discord.client import ApiError, Client, Ended, Patience
from messages_app.discord.document import DocumentWriter
from messages_app.discord.guilds import Knowledge, Place
from messages_app.discord.limits import Route
from messages_app.discord.message import document_of, emoji_key, is_blank, proves_intent, users_of
from messages_app.discord.names import NAMES_AGE_S, SWEPT_NAMES_AGE_S
from messages_app.discord.people import JsonObject, People
from messages_app.discord.permissions import MISSING_INTENT
from messages_app.discord.times import time_text
from messages_app.errors import (
    DiscordUnreachable,
    ExporterFailed,
    IntentMissing,
    PollerError,
    TimeLimitReached,
)
from messages_app.snowflakes import id_in, instant_of

PAGE = 100
# Names may take this share of an export's time: the messages come first.
_SHARE_OF_NAMES = 0.5

_KINDS = {
    0: "GuildTextChat",
    1: "DirectTextChat",
    2: "GuildVoiceChat",
    3: "DirectGroupTextChat",
    4: "GuildCategory",
    5: "GuildNews",
    10: "GuildNewsThread",
    11: "GuildPublicThread",
    12: "GuildPrivateThread",
    13: "GuildStageVoice",
    14: "GuildDirectory",
    15: "GuildForum",
}


@dataclass(frozen=True)
class Range:
    """Which messages: ids above `after` and below `before`; None is no bound."""

    after: int | None
    before: int | None


@dataclass(frozen=True)
class Wanted:
    """An export that is asked for.

    `expected` are ids of messages in the range that were there once: that one is missing is no
    proof of a deletion before the permissions were read again. `must_ask` asks for messages also
    where the channel's newest one is older than the range.
    """

    channel_id: str
    range: Range
    output: str
    expected: Collection[int] = ()
    must_ask: bool = False
    reaction_users: bool = False


@dataclass
class Proof:
    """How far the document is the whole truth: of messages before `until`, by Discord's clock.

    None: of nothing. `is_readable`: the bot could read the channel when it was listed, so that
    what is not in the document was not there.
    """

    until: datetime | None = None
    is_readable: bool = False


@dataclass
class _Page:
    messages: list[Mapping[str, Any]]
    date: datetime


@dataclass
class ChannelExport:
    """One export, for one thread."""

    client: Client
    knowledge: Knowledge
    wanted: Wanted
    patience: Patience
    clock: Callable[[], datetime]
    proof: Proof = field(default_factory=Proof)
    # Of the channel's messages, those that were written.
    count: int = 0
    _seen: set[int] = field(default_factory=set)
    _dates: list[datetime] = field(default_factory=list)
    _first_left_out: datetime | None = None
    _came_empty: bool = False

    def run(self) -> PollerError | None:
        """Write the document; return what went wrong. Whatever was read is in it and is real."""
        try:
            self._export()
        except PollerError as error:
            return error
        except Ended:
            return TimeLimitReached(
                "The export took longer than its time and was ended: the next poll asks for less "
                "at once; raise POLLER_EXPORT_TIMEOUT if this repeats."
            )
        except ApiError as error:
            return ExporterFailed(f"Discord refused a call ({error}): it will be made again.")
        except OSError as error:
            return ExporterFailed(
                f"The document cannot be written ({error.strerror}): check the disk's free space."
            )
        return None

    def _export(self) -> None:
        place = self.knowledge.place(self.wanted.channel_id, self.patience)
        guilds.check_kind(place)
        if self.knowledge.seems_forbidden(place):
            self._check_permissions(place)
        # Asked for before the document begins, since its head tells the guild's name.
        head = self._head(place)
        writer = DocumentWriter(self.wanted.output, head)
        try:
            self._fill(writer, place)
        finally:
            writer.close()
            self.count = writer.count

    def _fill(self, writer: DocumentWriter, place: Place) -> None:
        if self._is_quiet(place):
            self.proof = Proof(place.date, is_readable=False)
            return
        people = self._people(place)
        for page in self._pages(place):
            self._dates.append(page.date)
            for raw in self._readable(page.messages):
                writer.add(document_of(raw, people, self._reaction_users(raw)))
        until = min(self._dates, default=None)
        expected = set(self.wanted.expected)
        if self._came_empty or expected - self._seen:
            self._check_permissions(place)
        self.proof = Proof(until, is_readable=True)
        if self._first_left_out:
            self.proof = Proof(self._first_left_out, is_readable=True)
            raise IntentMissing(MISSING_INTENT)

    def _is_quiet(self, place: Place) -> bool:
        """Whether the channel's newest message proves that there is none in the range."""
        after = self.wanted.range.after
        return (
            not self.wanted.must_ask
            and not self.wanted.expected
            and after is not None
            and place.last_message_id <= after
        )

    def _pages(self, place: Place) -> Iterator[_Page]:
        """Yield the range's messages by pages, oldest first, each as soon as it is there."""
        after = self.wanted.range.after or 0
        before = self.wanted.range.before
        while True:
            answer, date = self._list(place, f"limit={PAGE}&after={after}")
            ordered = sorted(answer, key=lambda raw: int(raw["id"]))
            inside = [raw for raw in ordered if before is None or int(raw["id"]) < before]
            self._seen.update(int(raw["id"]) for raw in inside)
            self._came_empty = not ordered
            self._prepare_names(place, inside)
            yield _Page(inside, date)
            if len(inside) < len(ordered) or len(ordered) < PAGE:
                return
            after = int(ordered[-1]["id"])
            # What was read is whole up to here, whatever happens next.
            self.proof = Proof(min(*self._dates, instant_of(after)), is_readable=True)
            if self._is_newest(place, after):
                return

    def _is_newest(self, place: Place, message_id: int) -> bool:
        """Whether nothing newer was there when the channel's news were asked for.

        Those news are older than the list then, and what they prove ends with them.
        """
        if place.last_message_id == message_id:
            self._dates.append(place.date)
            return True
        return False

    def _list(self, place: Place, query: str) -> tuple[list[Mapping[str, Any]], datetime]:
        route = Route("channels/messages", place.channel_id)
        try:
            answer, date = self.client.get(
                f"/channels/{place.channel_id}/messages?{query}", route, self.patience
            )
        except ApiError as error:
            if error.status == 403:
                self._check_permissions(place)
                raise guilds.forbidden(["View Channel", "Read Message History"]) from None
            if error.status == 404:
                raise guilds.no_such_channel() from None
            raise
        if not isinstance(answer, list) or not all(map(_has_id, answer)):
            raise guilds.odd_answer()
        return answer, date

    def _check_permissions(self, place: Place) -> None:
        """Read again what the bot may do; raise ExporterFailed where it may not read here."""
        if place.guild_id == guilds.NO_GUILD:
            return
        missing = self.knowledge.missing_permissions(place, self.patience)
        if missing:
            self.proof = Proof()
            raise guilds.forbidden(missing)

    def _readable(self, messages: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The messages but for those that are blank because the bot may not read contents."""
        suspicious = [raw for raw in messages if is_blank(raw)]
        if not suspicious or any(map(proves_intent, messages)):
            return messages
        bot_id, may_read = self.knowledge.me(self.patience, age_s=0)
        if may_read:
            return messages
        blank = [raw for raw in suspicious if not _is_by(raw, bot_id)]
        if blank and self._first_left_out is None:
            self._first_left_out = instant_of(int(blank[0]["id"]))
        return [raw for raw in messages if raw not in blank]

    def _prepare_names(self, place: Place, messages: list[Mapping[str, Any]]) -> None:
        """See to it that everybody's names are known, as far as there is time for it."""
        if place.guild_id == guilds.NO_GUILD:
            return
        age_s = SWEPT_NAMES_AGE_S if self.wanted.must_ask else NAMES_AGE_S
        wanted = {str(user["id"]): None for raw in messages for user in users_of(raw)}
        for user_id in wanted:
            if self.knowledge.knows(place.guild_id, user_id, age_s):
                continue
            if self.patience.share_used() > _SHARE_OF_NAMES:
                return
            with suppress(ExporterFailed, DiscordUnreachable):
                self.knowledge.read_member(place.guild_id, user_id, self.patience)

    def _people(self, place: Place) -> People:
        if place.guild_id == guilds.NO_GUILD:
            return People(guilds.NO_GUILD)
        guild = self.knowledge.guild(place.guild_id, self.patience)
        members = self.knowledge.names.members.setdefault(place.guild_id, {})
        return People(place.guild_id, guild.roles, members)

    def _reaction_users(
        self, raw: Mapping[str, Any]
    ) -> Mapping[str, list[Mapping[str, Any]]] | None:
        if not self.wanted.reaction_users:
            return None
        users: dict[str, list[Mapping[str, Any]]] = {}
        for reaction in raw.get("reactions") or ():
            key = emoji_key(reaction["emoji"])
            users[key] = list(self._who_reacted(raw, key))
        return users

    def _who_reacted(self, raw: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
        channel_id = self.wanted.channel_id
        path = f"/channels/{channel_id}/messages/{raw['id']}/reactions/{quote(key, safe='')}"
        route = Route("channels/messages/reactions", channel_id)
        after = "0"
        while True:
            try:
                users, _date = self.client.get(
                    f"{path}?limit={PAGE}&after={after}", route, self.patience
                )
            except ApiError as error:
                if error.status in (400, 404):  # taken away meanwhile
                    return
                raise
            yield from users
            if len(users) < PAGE:
                return
            after = users[-1]["id"]

    def _head(self, place: Place) -> JsonObject:
        if place.guild_id == guilds.NO_GUILD:
            icon = pictures.guild_icon(guilds.NO_GUILD, None)
            guild = {"id": guilds.NO_GUILD, "name": "Direct Messages", "iconUrl": icon}
        else:
            names = self.knowledge.guild(place.guild_id, self.patience)
            icon = pictures.guild_icon(place.guild_id, names.icon)
            guild = {"id": place.guild_id, "name": names.name, "iconUrl": icon}
        raw, parent = place.raw, place.parent
        return {
            "guild": guild,
            "channel": {
                "id": place.channel_id,
                "type": _KINDS.get(place.kind, str(place.kind)),
                "categoryId": str(parent["id"]) if parent else None,
                "category": parent["name"] if parent else None,
                "name": raw.get("name") or place.channel_id,
                "topic": raw.get("topic"),
            },
            "dateRange": {
                "after": _bound(self.wanted.range.after),
                "before": _bound(self.wanted.range.before),
            },
            "exportedAt": time_text(self.clock().astimezone(UTC).isoformat()),
        }


def _has_id(raw: Any) -> bool:
    return isinstance(raw, dict) and id_in(raw.get("id")) is not None


def _is_by(raw: Mapping[str, Any], user_id: str) -> bool:
    author = raw.get("author")
    return isinstance(author, dict) and author.get("id") == user_id


def _bound(snowflake: int | None) -> str | None:
    if snowflake is None:
        return None
    return time_text((instant_of(snowflake + 1)).isoformat())

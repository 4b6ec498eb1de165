"""The names of guilds and their members, as they are kept over runs; imports no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from messages_app.discord.people import Member

# How long names are kept before they are asked for again, and when a session is swept.
NAMES_AGE_S = 24 * 3600.0
SWEPT_NAMES_AGE_S = 3600.0


@dataclass(frozen=True)
class GuildNames:
    """A guild's names and roles as they were at `read_at`; `roles` as the API lists them.

    `bot_id` is the bot's user id, "" where it was not needed yet.
    """

    guild_id: str
    name: str
    icon: str | None
    owner_id: str
    roles: tuple[Mapping[str, Any], ...]
    read_at: datetime
    bot_id: str = ""


@dataclass
class Names:
    """The names of one run, to be kept over runs by who made it.

    `members` are those that are known and young enough, by guild and user id; `new_members` are
    those of them that were read in this run.
    """

    guild_of: dict[str, str] = field(default_factory=dict)
    guilds: dict[str, GuildNames] = field(default_factory=dict)
    members: dict[str, dict[str, Member]] = field(default_factory=dict)
    new_guilds: dict[str, GuildNames] = field(default_factory=dict)
    new_members: dict[tuple[str, str], Member] = field(default_factory=dict)

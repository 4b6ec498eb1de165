"""What a bot may do in a channel, computed from roles and overwrites as Discord documents it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ADMINISTRATOR = 1 << 3
VIEW_CHANNEL = 1 << 10
READ_MESSAGE_HISTORY = 1 << 16
CONNECT = 1 << 20
MANAGE_THREADS = 1 << 34
EVERYTHING = (1 << 64) - 1

# What reading takes, in the order in which an operator should grant it.
NAMES = {
    VIEW_CHANNEL: "View Channel",
    READ_MESSAGE_HISTORY: "Read Message History",
    CONNECT: "Connect",
}
# What `invite` asks for: exactly what reading takes anywhere. Connect is for voice channels.
INVITED = VIEW_CHANNEL | READ_MESSAGE_HISTORY | CONNECT

MISSING_INTENT = (
    "The bot may not read what messages say: switch the Message Content intent on, in Discord's "
    "developer portal under «Bot»; until then nothing is overwritten."
)

GUILD_VOICE, GUILD_STAGE = 2, 13
_VOICE = (GUILD_VOICE, GUILD_STAGE)
_OF_A_ROLE, _OF_A_MEMBER = 0, 1


def in_guild(
    guild_id: str, roles: Sequence[Mapping[str, Any]], member_roles: Iterable[str], *, owner: bool
) -> int:
    """Given a guild's roles and those that a member has, return its permissions in the guild."""
    if owner:
        return EVERYTHING
    mine = {guild_id, *member_roles}
    permissions = 0
    for role in roles:
        if role["id"] in mine:
            permissions |= int(role["permissions"])
    return EVERYTHING if permissions & ADMINISTRATOR else permissions


def in_channel(
    base: int,
    overwrites: Iterable[Mapping[str, Any]],
    guild_id: str,
    member_id: str,
    member_roles: Iterable[str],
) -> int:
    """Given the permissions in the guild and a channel's overwrites, return those in the channel.

    A thread has no overwrites: its parent's count.
    """
    if base == EVERYTHING:
        return base
    roles = set(member_roles) - {guild_id}
    everyone = own = (0, 0)
    roles_deny = roles_allow = 0
    for overwrite in overwrites:
        kind, who = int(overwrite["type"]), overwrite["id"]
        deny, allow = int(overwrite["deny"]), int(overwrite["allow"])
        if kind == _OF_A_ROLE and who == guild_id:
            everyone = deny, allow
        elif kind == _OF_A_ROLE and who in roles:
            roles_deny |= deny
            roles_allow |= allow
        elif kind == _OF_A_MEMBER and who == member_id:
            own = deny, allow
    permissions = base
    for deny, allow in (everyone, (roles_deny, roles_allow), own):
        permissions = permissions & ~deny | allow
    return permissions


def missing(permissions: int, channel_type: int) -> list[str]:
    """The names of what a bot lacks to read the messages of a channel of this type."""
    needed = [VIEW_CHANNEL, READ_MESSAGE_HISTORY, *([CONNECT] if channel_type in _VOICE else [])]
    return [NAMES[one] for one in needed if not permissions & one]


def granted(permissions: int) -> list[str]:
    """The names of what a bot has of what reading may take."""
    return [name for one, name in NAMES.items() if permissions & one]

"""What the bot may do in a channel, as Discord works it out: written apart from the product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ADMINISTRATOR, VIEW, HISTORY, CONNECT = 1 << 3, 1 << 10, 1 << 16, 1 << 20
ALL = (1 << 53) - 1


def permissions(
    guild: Mapping[str, Any], channel: Mapping[str, Any], member_id: str, roles: list[str]
) -> int:
    """The member's permissions in the channel; all of them for the owner and an administrator."""
    if member_id == guild["owner_id"]:
        return ALL
    granted = 0
    for role in guild["roles"]:
        if role["id"] == guild["id"] or role["id"] in roles:
            granted |= int(role["permissions"])
    if granted & ADMINISTRATOR:
        return ALL
    overwrites = {each["id"]: each for each in channel.get("permission_overwrites", ())}
    if everyone := overwrites.get(guild["id"]):
        granted = granted & ~int(everyone["deny"]) | int(everyone["allow"])
    mine = [overwrites[role] for role in roles if role in overwrites]
    for each in mine:
        granted &= ~int(each["deny"])
    for each in mine:
        granted |= int(each["allow"])
    if own := overwrites.get(member_id):
        granted = granted & ~int(own["deny"]) | int(own["allow"])
    return granted


def may_view(granted: int) -> bool:
    return bool(granted & VIEW)


def may_read(granted: int, channel_type: int) -> bool:
    """Whether the list of messages is not empty for it."""
    return bool(granted & HISTORY) and (channel_type not in (2, 13) or bool(granted & CONNECT))

"""Users as the exporter's document has them: nickname, colour, roles and avatar in the guild."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from messages_app.discord import pictures

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Member:
    """What a guild knew of a user at `read_at`: `roles` are ids; "" is no nick, no avatar."""

    nick: str = ""
    avatar: str = ""
    roles: tuple[str, ...] = ()
    read_at: datetime | None = field(default=None, compare=False)


# A user that is not in the guild, or is a webhook.
NOBODY = Member()


@dataclass
class People:
    """The names of a guild: its roles as the API lists them, and those of its members by user id.

    `members` may grow while messages are read.
    """

    guild_id: str
    roles: Sequence[Mapping[str, Any]] = ()
    members: dict[str, Member] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._role_of = {role["id"]: _role(role) for role in self.roles}

    def user(self, user: Mapping[str, Any], *, with_roles: bool = True) -> JsonObject:
        """Given a user as the API sends it with a message, return the document's object."""
        user_id = str(user["id"])
        member = self.members.get(user_id, NOBODY)
        number = int(user.get("discriminator") or 0)
        known = [self._role_of[role] for role in member.roles if role in self._role_of]
        roles = sorted(known, key=lambda role: -int(role["position"]))
        name = user["username"]
        shown = {
            "id": user_id,
            "name": name,
            "discriminator": f"{number:04d}",
            "nickname": member.nick or told(user.get("global_name")) or name,
            "color": next((role["color"] for role in roles if role["color"]), None),
            "isBot": user.get("bot") or False,
        }
        if with_roles:
            shown["roles"] = roles
        if member.avatar:
            shown["avatarUrl"] = pictures.member_avatar(self.guild_id, user_id, member.avatar)
        elif avatar := told(user.get("avatar")):
            shown["avatarUrl"] = pictures.user_avatar(user_id, avatar)
        else:
            shown["avatarUrl"] = pictures.default_avatar(user_id, number)
        return shown


def member_from(answer: Mapping[str, Any]) -> Member:
    """Given the API's member, return what the document needs of it."""
    return Member(
        told(answer.get("nick")) or "",
        told(answer.get("avatar")) or "",
        tuple(map(str, answer.get("roles") or ())),
    )


def told(text: Any) -> str | None:
    """A text that says something, else None."""
    return text if isinstance(text, str) and text.strip() else None


def colour(number: Any) -> str:
    return f"#{int(number) & 0xFFFFFF:06X}"


def _role(role: Mapping[str, Any]) -> JsonObject:
    number = int(role.get("color") or 0) & 0xFFFFFF
    return {
        "id": role["id"],
        "name": role["name"],
        "color": colour(number) if number else None,
        "position": role["position"],
    }

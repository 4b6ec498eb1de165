"""From rows to what a page shows: the messages of a page and all that they refer to.

Four queries at most, however many messages: answered ones, former texts, channels' names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from messages_app.models import Channel, Message, Revision
from messages_app.web import raw_json
from messages_app.web.markdown import Names, Setting
from messages_app.web.raw_json import Object
from messages_app.web.shown import ShownMessage, Surroundings, shown

_CHANNEL_MENTION = re.compile(r"<#(\d{1,19})>")


def shown_messages(
    messages: Sequence[Message], setting: Setting, *, several_channels: bool
) -> list[ShownMessage]:
    """Given rows in time order, return them ready to be shown, not yet grouped."""
    raws = [raw_json.parsed(message.raw) for message in messages]
    around = Surroundings(
        names=_names(messages, raws),
        answered=_answered(raws),
        former=_former([message.discord_id for message in messages]),
        several_channels=several_channels,
    )
    return [
        shown(message, raw, around, setting) for message, raw in zip(messages, raws, strict=True)
    ]


def _names(messages: Sequence[Message], raws: Sequence[Object]) -> Names:
    users: dict[int, str] = {}
    roles: dict[int, str] = {}
    for message, raw in zip(messages, raws, strict=True):
        if message.author_id is not None:
            users[message.author_id] = message.author_name
        for user in raw_json.parts(raw, "mentions"):
            if discord_id := raw_json.snowflake(user, "id"):
                users.setdefault(
                    discord_id, raw_json.text(user, "nickname") or raw_json.text(user, "name")
                )
        for role in raw_json.parts(raw_json.part(raw, "author"), "roles"):
            if discord_id := raw_json.snowflake(role, "id"):
                roles[discord_id] = raw_json.text(role, "name")
    wanted = {message.channel_id for message in messages}
    for message in messages:
        wanted.update(int(found) for found in _CHANNEL_MENTION.findall(message.content))
    known = Channel.objects.filter(pk__in=wanted).values_list("pk", "name")
    return Names(users, roles, {pk: name for pk, name in known if name})


def _answered(raws: Sequence[Object]) -> dict[int, Message]:
    wanted = {
        discord_id
        for raw in raws
        if (discord_id := raw_json.snowflake(raw_json.part(raw, "reference"), "messageId"))
    }
    return Message.objects.defer("raw").in_bulk(list(wanted)) if wanted else {}


def _former(ids: Sequence[int]) -> dict[int, list[Revision]]:
    former: dict[int, list[Revision]] = {}
    for revision in Revision.objects.filter(message__in=list(ids)).order_by("replaced_at", "id"):
        former.setdefault(revision.message_id, []).append(revision)
    return former

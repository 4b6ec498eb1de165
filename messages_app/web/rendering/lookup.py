"""From rows to what a page shows: the messages of a page and all that they refer to.

A fixed number of queries, however many messages: their forms, answered ones, former texts,
channels' names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Any

from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import Left, RowNumber

from messages_app.database.shown_forms import shown_forms
from messages_app.document import raw_json
from messages_app.document.raw_json import Object
from messages_app.models import Channel, Message, Revision
from messages_app.snowflakes import id_in
from messages_app.web.rendering.bounds import MOST_FORMER
from messages_app.web.rendering.hidden import HIDDEN, emptied
from messages_app.web.rendering.markdown import LONGEST_EXCERPT_READ, Names, Setting
from messages_app.web.rendering.shown import ShownMessage, Surroundings, shown
from messages_app.web.rendering.texts import FormerText, FormerTexts

_CHANNEL_MENTION = re.compile(r"<#(\d{1,19})>")
# Of one message that are looked up; the others are told as unknown.
MOST_CHANNEL_MENTIONS = 100
# Characters of a former text that are read: a page shows no longer one whole.
LONGEST_FORMER_READ = 60_001


def shown_messages(
    messages: Sequence[Message],
    setting: Setting,
    *,
    several_channels: bool,
    with_former: bool = True,
) -> list[ShownMessage]:
    """Given rows in time order, return them ready to be shown, not yet grouped."""
    if setting.hides_deleted:
        messages = [emptied(message) for message in messages]
        with_former = False
    forms = _forms(messages)
    around = Surroundings(
        names=_names(messages, forms),
        answered=_answered(forms),
        former=_former([message.discord_id for message in messages]) if with_former else {},
        several_channels=several_channels,
    )
    return [
        shown(message, form, around, setting) for message, form in zip(messages, forms, strict=True)
    ]


def _forms(messages: Sequence[Message]) -> list[Object]:
    found = shown_forms([message.discord_id for message in messages])
    return [
        {} if message.type == HIDDEN else found.get(message.discord_id, {}) for message in messages
    ]


def _names(messages: Sequence[Message], forms: Sequence[Object]) -> Names:
    users: dict[int, str] = {}
    roles: dict[int, str] = {}
    for message, form in zip(messages, forms, strict=True):
        if message.author_id is not None:
            users[message.author_id] = message.author_name
        for user in raw_json.parts(form, "mentions"):
            if discord_id := raw_json.discord_id(user, "id"):
                users.setdefault(
                    discord_id, raw_json.text(user, "nickname") or raw_json.text(user, "name")
                )
        for role in raw_json.parts(raw_json.part(form, "author"), "roles"):
            if discord_id := raw_json.discord_id(role, "id"):
                roles[discord_id] = raw_json.text(role, "name")
    wanted = {message.channel_id for message in messages}
    for message in messages:
        mentioned = islice(_CHANNEL_MENTION.finditer(message.content), MOST_CHANNEL_MENTIONS)
        found = (id_in(mention[1]) for mention in mentioned)
        wanted.update(channel_id for channel_id in found if channel_id)
    known = Channel.objects.filter(pk__in=wanted).values_list("pk", "name")
    return Names(users, roles, {pk: name for pk, name in known if name})


def _answered(forms: Sequence[Object]) -> dict[int, Message]:
    wanted = {
        discord_id
        for form in forms
        if (discord_id := raw_json.discord_id(raw_json.part(form, "reference"), "messageId"))
    }
    if not wanted:
        return {}
    # What stands for the text is its beginning, which is all that is shown of it.
    found = (
        Message.objects.without_raw()
        .defer("content")
        .annotate(beginning=Left("content", LONGEST_EXCERPT_READ))
    )
    answered = found.in_bulk(list(wanted))
    for message in answered.values():
        message.content = vars(message)["beginning"]
    return answered


def names_in(message: Message) -> Names:
    """Who and what a message's texts mention."""
    return _names([message], _forms([message]))


def former_texts(revisions: QuerySet[Revision]) -> list[tuple[int, FormerText]]:
    """Given former versions, return each with its message's id."""
    read = revisions.annotate(text=Left("content", LONGEST_FORMER_READ))
    rows = read.values_list("message_id", "text", "replaced_at")
    return [(message_id, FormerText(text, at)) for message_id, text, at in rows]


def _former(ids: Sequence[int]) -> dict[int, FormerTexts]:
    """Of each message the newest former texts; the others are counted, not read."""
    of_message: dict[str, Any] = {"partition_by": F("message")}
    newest_first = [F("replaced_at").desc(), F("id").desc()]
    ranked = (
        Revision.objects.filter(message__in=list(ids))
        .order_by()
        .annotate(
            rank=Window(RowNumber(), order_by=newest_first, **of_message),
            count=Window(Count("id"), **of_message),
        )
        .filter(rank__lte=MOST_FORMER)
        .values_list("id", "message_id", "count")
    )
    counts: dict[int, int] = {}
    kept = []
    for revision_id, message_id, count in ranked:
        kept.append(revision_id)
        counts[message_id] = count
    if not kept:
        return {}
    texts: dict[int, list[FormerText]] = {}
    for message_id, text in former_texts(Revision.objects.filter(pk__in=kept)):
        texts.setdefault(message_id, []).append(text)
    return {pk: FormerTexts(texts[pk], count) for pk, count in counts.items() if pk in texts}

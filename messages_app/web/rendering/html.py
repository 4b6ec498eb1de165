"""A message as HTML.

Written in Python, since Django's templates took three quarters of a page's time for it. Every
value passes through `escape`, but for what `shown` has marked as HTML already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape

from django.utils.safestring import SafeString, mark_safe

from messages_app.web.rendering.bounds import bytes_of
from messages_app.web.rendering.shown import Attachment, Author, Embed, ShownMessage

# What Discord shows for kinds of messages that are exported by number and without a text.
WORDLESS = {
    "Hidden": "Deleted, and shown to those who are logged in",
    "8": "Boosted the server",
    "9": "Boosted the server to level 1",
    "10": "Boosted the server to level 2",
    "11": "Boosted the server to level 3",
    "12": "Follows another channel here",
    "25": "Bought a role's subscription",
    "27": "Began a stage",
    "28": "Ended the stage",
    "44": "Bought something",
    "46": "The result of a poll",
}
# So Discord itself tells a file that is to be covered.
SPOILER = "SPOILER_"
_LINK = 'rel="noopener noreferrer" target="_blank"'


def messages_html(messages: Iterable[ShownMessage], target: int | None = None) -> SafeString:
    """The list items of `messages`; the one with the id `target` is highlighted."""
    html = "\n".join(_bounded(message, message.id == target) for message in messages)
    return mark_safe(html)  # noqa: S308 - escaped piece by piece below


def _bounded(message: ShownMessage, is_target: bool) -> str:
    """The list item of one message; of one that passes its bound only the text."""
    html = _item(message, is_target)
    if bytes_of(html) <= message.most_bytes:
        return html
    nothing: tuple[()] = ()
    bare = replace(
        message,
        forwarded=None,
        attachments=nothing,
        embeds=nothing,
        stickers=nothing,
        reactions=nothing,
        former=nothing,
        more="",
        is_cut=True,
    )
    return _item(bare, is_target)


def _item(message: ShownMessage, is_target: bool) -> str:
    kinds = {
        "follows": message.follows,
        "deleted": bool(message.deleted),
        "notice": not message.spoken,
        "target": is_target,
    }
    classes = " ".join(["message", *(name for name, holds in kinds.items() if holds)])
    return (
        f"{_day(message)}"
        f'<li class="{classes}" id="m{message.id}" data-key="{message.key}"'
        f' data-version="{message.version}">'
        f"{_reply(message)}{_avatar(message.author)}{_by(message)}"
        f'<div class="body"><div class="text">{message.html}{_nothing(message)}</div>'
        f"{_forwarded(message)}"
        f"{''.join(map(_attachment, message.attachments))}"
        f"{''.join(map(_embed, message.embeds))}"
        f"{''.join(map(_sticker, message.stickers))}"
        f"{_cut(message)}"
        f"{_deleted(message)}{_edited(message)}{_reactions(message)}"
        f"{_more(message)}</div></li>"
    )


def _day(message: ShownMessage) -> str:
    if not message.new_day:
        return ""
    day = escape(message.new_day)
    return f'<li class="day" data-day="{day}"><span>{day}</span></li>'


def _reply(message: ShownMessage) -> str:
    reply = message.reply
    if not reply:
        return ""
    if not reply.author:
        return f'<p class="reply">In reply to {escape(reply.excerpt)}</p>'
    return (
        f'<p class="reply"><a href="{reply.href}"><span class="unseen">In reply to </span>'
        f'<b class="hue-{reply.author.hue}">{escape(reply.author.name)}</b>'
        f" {escape(reply.excerpt)}</a></p>"
    )


def _avatar(author: Author) -> str:
    shown = escape(author.initial)
    if author.picture:
        picture = escape(author.picture)
        shown = f'<img src="{picture}" alt="{shown}" loading="lazy" width="40" height="40">'
    return f'<span class="avatar hue-{author.hue}" aria-hidden="true">{shown}</span>'


def _by(message: ShownMessage) -> str:
    author = message.author
    bot = ' <span class="tag">bot</span>' if author.is_bot else ""
    channel = message.channel and f' <span class="channel">#{escape(message.channel)}</span>'
    return (
        f'<p class="by"><b class="name hue-{author.hue}">{escape(author.name)}</b>{bot}{channel}'
        f' <a class="time" href="{message.href}" title="{escape(message.full_time)}">'
        f'<time datetime="{message.timestamp.isoformat()}">{escape(message.time)}</time></a></p>'
    )


def _nothing(message: ShownMessage) -> str:
    if not message.is_empty:
        return ""
    shown = WORDLESS.get(message.type, "Nothing that an export can show")
    return f'<span class="note">{shown}</span>'


def _forwarded(message: ShownMessage) -> str:
    if message.forwarded is None:
        return ""
    head = '<p class="note">Forwarded</p>'
    return f'<blockquote class="forwarded">{head}{message.forwarded}</blockquote>'


def _sticker(name: str) -> str:
    return f'<p class="sticker">Sticker: {escape(name)}</p>'


def _attachment(attachment: Attachment) -> str:
    name, url, size = escape(attachment.name), escape(attachment.url), attachment.size
    if attachment.picture:
        shown = f'<a href="{url}" {_LINK}><img src="{url}" alt="{name}" loading="lazy"></a>'
        if attachment.name.startswith(SPOILER):
            shown = f'<span class="spoiler" tabindex="0" title="Spoiler">{shown}</span>'
    elif attachment.url:
        shown = (
            f'<a class="file file-{attachment.kind}" href="{url}" {_LINK}>{name}'
            f'<span class="note"> {size}, at Discord</span></a>'
        )
    else:
        shown = f'<span class="file">{name}<span class="note"> {size}</span></span>'
    return f'<p class="attachment">{shown}</p>'


def _embed(embed: Embed) -> str:
    url, picture = escape(embed.url), escape(embed.picture_url)
    fields = "".join(
        f"<div><dt>{field.name}</dt><dd>{field.value}</dd></div>" for field in embed.fields
    )
    link = ""
    if embed.picture_url and not embed.picture:
        link = f'<p><a href="{picture}" {_LINK}>picture at Discord</a></p>'
    parts = (
        embed.author and f'<p class="note">{escape(embed.author)}</p>',
        embed.title and f'<div class="embed-title">{embed.title}</div>',
        embed.description,
        fields and f"<dl>{fields}</dl>",
        embed.picture and f'<img src="{escape(embed.picture)}" alt="picture" loading="lazy">',
        link,
        url and f'<p class="note"><a href="{url}" {_LINK}>{escape(embed.short_url)}</a></p>',
        embed.footer and f'<p class="note">{escape(embed.footer)}</p>',
    )
    return f'<div class="embed hue-{embed.hue}">{"".join(filter(None, parts))}</div>'


def _cut(message: ShownMessage) -> str:
    if not message.is_cut:
        return ""
    return f'<p class="note"><a href="{message.href}all/">show all</a></p>'


def _more(message: ShownMessage) -> str:
    return f'<p class="note">and {escape(message.more)}</p>' if message.more else ""


def _deleted(message: ShownMessage) -> str:
    if not message.deleted:
        return ""
    return (
        f'<p class="note mark-deleted" title="{escape(message.deleted_full)}">'
        f"deleted, gone by {escape(message.deleted)}</p>"
    )


def _edited(message: ShownMessage) -> str:
    if message.former:
        texts = "".join(
            f'<li>{former.html}<p class="note">until {escape(former.replaced)}</p></li>'
            for former in message.former
        )
        hidden = message.former_count - len(message.former)
        if hidden:
            link = f'<a href="{message.href}all/">{hidden} earlier</a>'
            texts = f'<li><p class="note">{link}</p></li>{texts}'
        times = f" {message.former_count} times" if message.former_count > 1 else ""
        return f'<details class="former"><summary>edited{times}</summary><ol>{texts}</ol></details>'
    if message.edited:
        return f'<span class="note" title="{escape(message.edited)}">edited</span>'
    return ""


def _reactions(message: ShownMessage) -> str:
    if not message.reactions:
        return ""
    items = "".join(
        f'<li title="{escape(reaction.name)}">{reaction.emoji}'
        f' <span class="count">{reaction.count}</span></li>'
        for reaction in message.reactions
    )
    return f'<ul class="reactions" aria-label="Reactions">{items}</ul>'

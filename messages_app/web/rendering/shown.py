"""Messages as a page shows them: rows and their shown forms turned into frozen view objects."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import escape

from django.utils.safestring import SafeString, mark_safe

from messages_app.document import raw_json
from messages_app.document.raw_json import Object
from messages_app.keyset import Key
from messages_app.models import Message
from messages_app.web.rendering.markdown import (
    PICTURE_HOSTS,
    Names,
    Setting,
    emoji_html,
    to_excerpt,
)
from messages_app.web.rendering.texts import Former, FormerTexts, Texts

# Messages of one author closer together than this stand under one name, as on Discord.
GROUP_WITHIN = timedelta(minutes=7)
HUES = 12  # how many name colours the style sheet has, each readable in light and dark
LONGEST_NAME = 100  # Discord allows 32 characters; longer ones come from files only
SPOKEN_TYPES = frozenset({"Default", "Reply", "20", "23"})  # 20, 23: answers to commands
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif")
FILMS = (".mp4", ".webm", ".mov")
SOUNDS = (".mp3", ".ogg", ".wav", ".m4a", ".flac", ".opus")

# What a page shows of the lists of a form, of which some elements may not have fitted.
_COUNTED = {
    "attachments": "attachment",
    "embeds": "embed",
    "stickers": "sticker",
    "reactions": "reaction",
}


@dataclass(frozen=True)
class Author:
    id: int | None
    name: str
    initial: str
    hue: int
    is_bot: bool = False
    picture: str = ""


@dataclass(frozen=True)
class Attachment:
    name: str
    url: str
    size: str
    kind: str
    picture: str


@dataclass(frozen=True)
class Field:
    name: SafeString
    value: SafeString


@dataclass(frozen=True)
class Embed:
    hue: int
    author: str
    title: SafeString
    url: str
    description: SafeString
    fields: Sequence[Field]
    footer: str
    picture: str
    picture_url: str

    @property
    def short_url(self) -> str:
        return self.url if len(self.url) <= 60 else self.url[:59] + "…"


@dataclass(frozen=True)
class Reaction:
    emoji: SafeString
    name: str
    count: int


@dataclass(frozen=True)
class Reply:
    """What a message answers; `author` is None where that message is not stored."""

    author: Author | None
    excerpt: str
    href: str


@dataclass(frozen=True)
class ShownMessage:
    id: int
    key: str
    version: str
    href: str
    timestamp: datetime
    time: str
    full_time: str
    edited: str
    deleted: str
    deleted_full: str
    author: Author
    html: SafeString
    type: str
    spoken: bool
    channel: str
    reply: Reply | None
    forwarded: SafeString | None
    attachments: Sequence[Attachment]
    embeds: Sequence[Embed]
    stickers: Sequence[str]
    reactions: Sequence[Reaction]
    former: Sequence[Former]
    former_count: int
    more: str
    pinned: bool
    most_bytes: int
    is_cut: bool
    new_day: str = ""
    follows: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the export shows nothing of it, as with Discord's polls."""
        shown = (self.html, self.forwarded, self.attachments, self.embeds, self.stickers)
        return not any(shown)


@dataclass(frozen=True)
class Surroundings:
    """What a page's messages refer to: names, the messages answered, the former texts."""

    names: Names
    answered: Mapping[int, Message]
    former: Mapping[int, FormerTexts]
    several_channels: bool = False


def shown(message: Message, form: Object, around: Surroundings, setting: Setting) -> ShownMessage:
    """The message as a page shows it, by itself: `grouped` tells what stands before it."""
    clock = setting.clock
    texts = Texts(around.names, setting)
    former = around.former.get(message.discord_id, FormerTexts())
    forwarded = raw_json.part(form, "forwardedMessage")
    deleted_at = message.deleted_at
    channel = around.names.channels.get(message.channel_id, "")
    return ShownMessage(
        id=message.discord_id,
        key=str(Key.of(message)),
        version=f"{message.fingerprint & 0xFFFFFFFF:x}{'d' if deleted_at else ''}{former.count}",
        href=f"/messages/{message.discord_id}/",
        timestamp=message.timestamp,
        time=clock.short(message.timestamp),
        full_time=clock.full(message.timestamp),
        edited=clock.full(message.edited_at) if message.edited_at else "",
        deleted=clock.short(deleted_at) if deleted_at else "",
        deleted_full=clock.full(deleted_at) if deleted_at else "",
        author=author(message, form, setting),
        html=texts.html(message.content),
        type=message.type,
        spoken=message.type in SPOKEN_TYPES,
        channel=channel if around.several_channels else "",
        reply=_reply(form, around, setting),
        forwarded=texts.html(raw_json.text(forwarded, "content")) if forwarded else None,
        attachments=[
            _attachment(item, setting)
            for item in (
                *raw_json.parts(form, "attachments"),
                *raw_json.parts(forwarded, "attachments"),
            )
        ],
        embeds=[
            _embed(item, texts, setting)
            for item in (*raw_json.parts(form, "embeds"), *raw_json.parts(forwarded, "embeds"))
        ],
        stickers=[
            raw_json.text(item, "name")
            for item in (*raw_json.parts(form, "stickers"), *raw_json.parts(forwarded, "stickers"))
        ],
        reactions=[_reaction(item, setting) for item in raw_json.parts(form, "reactions")],
        former=[texts.former(text) for text in former.newest],
        former_count=former.count,
        more=_more(raw_json.part(form, "more")),
        pinned=raw_json.flag(form, "isPinned"),
        most_bytes=setting.bounds.message,
        is_cut=texts.is_cut,
    )


def grouped(
    messages: Sequence[ShownMessage], setting: Setting, before: ShownMessage | None = None
) -> list[ShownMessage]:
    """The messages, told which of them begin a day and which go on under the name above them."""
    told = []
    day_before = setting.clock.day(before.timestamp) if before else ""
    for message in messages:
        day = setting.clock.day(message.timestamp)
        new_day = day != day_before
        follows = bool(
            before
            and not new_day
            and before.author.id == message.author.id
            and before.author.name == message.author.name
            and before.channel == message.channel
            and before.spoken
            and message.spoken
            and not message.reply
            and message.timestamp - before.timestamp < GROUP_WITHIN
        )
        if new_day or follows:
            told.append(replace(message, new_day=day if new_day else "", follows=follows))
        else:
            told.append(message)
        before, day_before = message, day
    return told


def author(message: Message, form: Object, setting: Setting) -> Author:
    user = raw_json.part(form, "author")
    name = message.author_name[:LONGEST_NAME] or "unknown"
    return Author(
        id=message.author_id,
        name=name,
        initial=next((letter for letter in name if letter.isalnum()), "?").upper(),
        hue=_hue(raw_json.text(user, "color"), message.author_id or 0),
        is_bot=raw_json.flag(user, "isBot"),
        picture=_picture(raw_json.web_address(user, "avatarUrl"), setting),
    )


def _reply(form: Object, around: Surroundings, setting: Setting) -> Reply | None:
    reference = raw_json.part(form, "reference")
    if not reference or raw_json.part(form, "forwardedMessage"):
        return None
    other = around.answered.get(raw_json.discord_id(reference, "messageId") or 0)
    if other and other.deleted_at and setting.hides_deleted:
        return Reply(None, "a message that was deleted", "")
    if not other:
        return Reply(None, "a message that is not stored here", "")
    excerpt = to_excerpt(other.content, around.names)
    if not excerpt:
        excerpt = "an attachment" if other.has_attachments else "a message without text"
    return Reply(author(other, {}, setting), excerpt, f"/messages/{other.discord_id}/")


def _more(counts: Object) -> str:
    """What did not fit into the form: "2,412 more reactions, 1 more embed"."""
    left = [
        f"{count:,} more {noun if count == 1 else noun + 's'}"
        for key, noun in _COUNTED.items()
        if (count := raw_json.number(counts, key))
    ]
    return ", ".join(left)


def _attachment(item: Object, setting: Setting) -> Attachment:
    name = raw_json.text(item, "fileName") or "attachment"
    url = raw_json.web_address(item, "url")
    ending = name.lower()
    kind = (
        "image"
        if ending.endswith(PICTURES)
        else "video"
        if ending.endswith(FILMS)
        else "audio"
        if ending.endswith(SOUNDS)
        else "file"
    )
    size = _bytes_in_words(raw_json.number(item, "fileSizeBytes"))
    picture = _picture(url, setting) if kind == "image" else ""
    return Attachment(name, url, size, kind, picture)


def _embed(item: Object, texts: Texts, setting: Setting) -> Embed:
    picture = raw_json.web_address(raw_json.part(item, "image"), "url") or raw_json.web_address(
        raw_json.part(item, "thumbnail"), "url"
    )
    return Embed(
        hue=_hue(raw_json.text(item, "color"), 0),
        author=raw_json.text(raw_json.part(item, "author"), "name"),
        title=texts.html(raw_json.text(item, "title")),
        url=raw_json.web_address(item, "url"),
        description=texts.html(raw_json.text(item, "description")),
        fields=[
            Field(
                texts.html(raw_json.text(field, "name")), texts.html(raw_json.text(field, "value"))
            )
            for field in raw_json.parts(item, "fields")
        ],
        footer=raw_json.text(raw_json.part(item, "footer"), "text"),
        picture=_picture(picture, setting),
        picture_url=picture,
    )


def _reaction(item: Object, setting: Setting) -> Reaction:
    emoji = raw_json.part(item, "emoji")
    name = raw_json.text(emoji, "code") or raw_json.text(emoji, "name")
    discord_id = raw_json.discord_id(emoji, "id")
    if discord_id:
        shown_emoji = emoji_html(
            raw_json.text(emoji, "name"),
            discord_id,
            raw_json.flag(emoji, "isAnimated"),
            setting.pictures,
        )
    else:
        shown_emoji = escape(raw_json.text(emoji, "name") or "?")
    return Reaction(mark_safe(shown_emoji), name, raw_json.number(item, "count"))  # noqa: S308


def _picture(url: str, setting: Setting) -> str:
    """The address, where pictures may be loaded and it is one of Discord's own.

    Elsewhere, whoever had a picture posted would learn who looks at it.
    """
    return url if setting.pictures and url.startswith(PICTURE_HOSTS) else ""


def _hue(color: str, seed: int) -> int:
    """One of the style sheet's name colours: nearest to Discord's colour, or by the id."""
    if len(color) == 7 and color.startswith("#"):
        try:
            red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
        except ValueError:
            return 0
        hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
        if saturation > 0:
            return round(hue * HUES) % HUES
    return (seed >> 22) % HUES


def _bytes_in_words(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    if size < 1_000_000:
        return f"{size / 1000:.0f} kB"
    return f"{size / 1_000_000:.1f} MB"

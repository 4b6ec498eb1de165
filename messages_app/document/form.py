"""The form of a message: all that is derived from its exported object, for pages and search.

FORM_VERSION is raised whenever a message's form would come out otherwise: the shown form, the
folding of words, the terms, the fingerprints, what a document is taken to know. Nothing of Django
is imported here.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from messages_app.document import raw_json
from messages_app.document.fingerprint import canonical_part
from messages_app.document.message import replied_to
from messages_app.document.raw_json import Object
from messages_app.document.shown_form import is_forward, shown_form, texts_of
from messages_app.document.words import vector, words_of
from messages_app.snowflakes import LOW_BITS, id_in

FORM_VERSION = 1

# The term that every message has: a search for what is not there begins with it.
ALL = "all"
DELETED = "is:deleted"
# Mentions of one message that can be searched for.
MOST_MENTIONS = 1_000
# A message's block of time, in milliseconds as powers of two: about 4 minutes, 2 hours, 3 days. On
# PostgreSQL a search asks the newest blocks first, which must hold neither too few nor too many.
BLOCKS = (18, 23, 28)

# A question mark that ends a word, of any script; one inside an address is none.
# ruff: noqa: RUF001 - that the marks look alike is the point
_QUESTION_MARKS = ("?", "？", "؟")
_CLOSING = "\"'»”’)]!|*_~"
_LINK = re.compile(r"https?://[^\s]", re.IGNORECASE)
_MENTIONED = re.compile(r"<(?:@[!&]?|#)([0-9]{1,19})>|@(everyone|here)\b")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif")
_FILMS = (".mp4", ".webm", ".mov")
_SOUNDS = (".mp3", ".ogg", ".wav", ".m4a", ".flac", ".opus")
KINDS = {"image": _PICTURES, "video": _FILMS, "sound": _SOUNDS}


class Known:
    """What a document could tell of a message: a bit each, told by the keys that it wrote.

    Where a bit is missing, that the message has none of it proves nothing.
    """

    MENTIONS = 1  # DiscordChatExporter from 2.25 on
    STICKERS = 2  # 2.33
    ROLES = 4  # 2.40
    REACTION_USERS = 8  # 2.40.4, where there is a reaction
    INLINE_EMOJIS = 16  # 2.44
    REFERENCE_TYPE = 32  # 2.47, where there is a reference: forwards are told from replies
    POLL = 64
    COMPONENTS = 128


class FormSource(NamedTuple):
    """The columns of a message that its form is made from."""

    discord_id: int
    channel_id: int
    parent_channel_id: int | None
    author_id: int | None
    is_edited: bool
    fingerprint: int
    raw: str


class Form(NamedTuple):
    """A form as it is stored; `terms` are without DELETED, which the database knows."""

    discord_id: int
    version: int
    fingerprint: int
    said_fingerprint: int
    reacted_fingerprint: int
    known: int
    words: list[str]
    terms: list[str]
    shown: str
    forward_of: int | None


def form_of(source: FormSource) -> Form:
    """Given a message, return its form; whatever its object holds, there is one."""
    message = raw_json.parsed(source.raw)
    texts = texts_of(message)
    reference = raw_json.part(message, "reference")
    forwards = is_forward(message)
    return Form(
        source.discord_id,
        FORM_VERSION,
        source.fingerprint,
        said_fingerprint(message),
        reacted_fingerprint(message),
        known(message),
        words_of(texts),
        list(dict.fromkeys(_terms(source, message, texts, forwards=forwards))),
        shown_form(message),
        id_in(reference.get("messageId")) if forwards else None,
    )


def tsvector(form: Form, *, is_deleted: bool) -> str:
    """What PostgreSQL holds of words and terms, as the literal of a `tsvector`."""
    block_terms = (block_term(form.discord_id, block) for block in BLOCKS)
    deleted = (DELETED,) if is_deleted else ()
    return vector(form.words, (*form.terms, *block_terms, *deleted))


def block_term(discord_id: int, block: int) -> str:
    """The term of all messages of a message's block of 2**block milliseconds."""
    return f"t{block}:{discord_id >> (LOW_BITS + block)}"


def said_fingerprint(message: Object) -> int:
    """What tells apart two messages by their text, files and embeds alone, signed, 64 bit."""
    said = [canonical_part(key, message.get(key)) for key in ("content", "attachments", "embeds")]
    return _hashed("\n".join(said))


def reacted_fingerprint(message: Object) -> int:
    """The same, by the pin and how often which emoji stands below it, whoever reacted."""
    pin = "pinned" if raw_json.flag(message, "isPinned") else ""
    if not message.get("reactions"):
        return _NO_REACTION[pin]
    counts = sorted(
        f"{canonical_part('emoji', raw_json.part(each, 'emoji'))} {raw_json.number(each, 'count')}"
        for each in raw_json.parts(message, "reactions")
    )
    return _hashed("\n".join([pin, *counts]))


def known(message: Object) -> int:
    """The bits of Known for a message."""
    found = 0
    for key, bit in _BY_KEY.items():
        if key in message:
            found |= bit
    if "roles" in raw_json.part(message, "author"):
        found |= Known.ROLES
    if "type" in raw_json.part(message, "reference"):
        found |= Known.REFERENCE_TYPE
    if message.get("reactions") and any(
        "users" in each for each in raw_json.parts(message, "reactions")
    ):
        found |= Known.REACTION_USERS
    return found


def is_question(text: str) -> bool:
    """Whether a word of the text ends with a question mark, of any script."""
    if not any(mark in text for mark in _QUESTION_MARKS):
        return False
    return any(word.rstrip(_CLOSING).endswith(_QUESTION_MARKS) for word in text.split())


def kind_of_file(name: str) -> str:
    """A file's kind by its name: image, video, sound, else file."""
    ending = name.lower()
    return next((kind for kind, endings in KINDS.items() if ending.endswith(endings)), "file")


_BY_KEY = {
    "mentions": Known.MENTIONS,
    "stickers": Known.STICKERS,
    "inlineEmojis": Known.INLINE_EMOJIS,
    "poll": Known.POLL,
    "components": Known.COMPONENTS,
}


def _terms(
    source: FormSource, message: Object, texts: list[str], *, forwards: bool
) -> Iterator[str]:
    yield ALL
    yield f"in:{source.channel_id}"
    if source.parent_channel_id:
        yield f"under:{source.parent_channel_id}"
    if source.author_id:
        yield f"from:{source.author_id}"
    if source.is_edited:
        yield "is:edited"
    if raw_json.flag(message, "isPinned"):
        yield "is:pinned"
    forward = raw_json.part(message, "forwardedMessage")
    said = f"{raw_json.text(message, 'content')} {raw_json.text(forward, 'content')}"
    if is_question(said):
        yield "is:question"
    if "://" in said and _LINK.search(said):
        yield "has:link"
    if forwards:
        yield "has:forward"
    elif message.get("reference") and replied_to(dict(message)):
        yield "is:reply"
    for holder in (message, forward):
        yield from _terms_of_parts(holder)
    yield from _mentions(message, said)


def _terms_of_parts(of: Object) -> Iterator[str]:
    if of.get("attachments"):
        for file in raw_json.parts(of, "attachments"):
            yield "has:file"
            kind = kind_of_file(raw_json.text(file, "fileName"))
            if kind != "file":
                yield f"has:{kind}"
    for key, name in (("embeds", "embed"), ("stickers", "sticker"), ("poll", "poll")):
        if of.get(key):
            yield f"has:{name}"


def _mentions(message: Object, said: str) -> Iterator[str]:
    if message.get("mentions"):
        for user in raw_json.parts(message, "mentions")[:MOST_MENTIONS]:
            if discord_id := id_in(user.get("id")):
                yield f"mentions:{discord_id}"
    if "<" in said or "@" in said:
        for number, match in enumerate(_MENTIONED.finditer(said)):
            if number == MOST_MENTIONS:
                return
            yield f"mentions:{match[1].lstrip('0') if match[1] else match[2]}"


def _hashed(canon: str) -> int:
    digest = hashlib.blake2b(canon.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


_NO_REACTION = {pin: _hashed(pin) for pin in ("", "pinned")}

"""What a page needs of a message beside its columns: the exported object, cut to what is shown.

The keys are the exporter's own; what says nothing is left out. Lists and texts are cut, and what
does not fit into SHOWN_BYTES is counted under `more`, by the key that it is missing from. Nothing
of Django is imported here.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from messages_app.document import raw_json
from messages_app.document.message import storable_json
from messages_app.document.raw_json import Object

SHOWN_BYTES = 32 * 1024
# Kept free for `more` and the brackets around it all.
_RESERVED_BYTES = 512
# What Discord itself allows, in characters; longer ones come from other programs.
LONGEST_NAME = 256
LONGEST_TEXT = 4096
LONGEST_ADDRESS = 2048
# Of those who reacted, so many are named, and the others are counted.
MOST_NAMED = 10
# Components are nested; nothing shows more levels than this.
DEEPEST = 8

# Reads one element of a list as it is shown; None: it shows nothing.
_Read = Callable[[Object], dict[str, Any] | None]


def shown_form(message: Object) -> str:
    """Given an exported message object, return the form as JSON, at most SHOWN_BYTES of UTF-8."""
    shown = _whole(message)
    text = storable_json(shown)
    # Four bytes are the most that a character takes.
    if len(text) * 4 <= SHOWN_BYTES or len(text.encode()) <= SHOWN_BYTES:
        return text
    return storable_json(_fitted(shown))


def texts_of(message: Object) -> list[str]:
    """All that was said in a message, for search: its text, and those of its parts, uncut."""
    forward = raw_json.part(message, "forwardedMessage")
    texts = [raw_json.text(message, "content")]
    for said in (message, forward):
        if said is forward:
            texts.append(raw_json.text(said, "content"))
        for embed in raw_json.parts(said, "embeds"):
            texts += _texts_of_embed(embed)
        texts += [raw_json.text(file, "fileName") for file in raw_json.parts(said, "attachments")]
        texts += [raw_json.text(each, "name") for each in raw_json.parts(said, "stickers")]
        texts += _texts_of_poll(raw_json.part(said, "poll"))
        texts += _texts_of_components(said)
    return texts


def is_forward(message: Object) -> bool:
    reference = message.get("reference")
    return bool(message.get("forwardedMessage")) or (
        isinstance(reference, dict) and reference.get("type") == "Forward"
    )


def _whole(message: Object) -> dict[str, Any]:
    """The form with its lists and texts cut, whatever it comes to."""
    shown: dict[str, Any] = {"author": _user(raw_json.part(message, "author"), with_roles=True)}
    if raw_json.flag(message, "isPinned"):
        shown["isPinned"] = True
    if reference := message.get("reference"):
        shown["reference"] = _texts(reference, "type", "messageId", "channelId", "guildId")
    if forward := raw_json.part(message, "forwardedMessage"):
        shown["forwardedMessage"] = {
            **_texts(forward, "timestamp", "timestampEdited"),
            "content": raw_json.text(forward, "content")[:LONGEST_TEXT],
            **_lists(forward, _FILES_AND_EMBEDS),
        }
    if interaction := raw_json.part(message, "interaction"):
        shown["interaction"] = {
            **_texts(interaction, "id", "name"),
            "user": _user(raw_json.part(interaction, "user")),
        }
    if poll := raw_json.part(message, "poll"):
        shown["poll"] = _poll(poll)
    if components := _texts_of_components(message):
        shown["components"] = "\n".join(components)[:LONGEST_TEXT]
    shown.update(_lists(message, _FILES_AND_EMBEDS))
    shown.update(_lists(message, {"reactions": _reaction, "mentions": _user}))
    return {key: value for key, value in shown.items() if value}


def _fitted(shown: dict[str, Any]) -> dict[str, Any]:
    """The form with the elements of its lists that fit; the others are counted."""
    room = SHOWN_BYTES - _RESERVED_BYTES
    forward = shown.get("forwardedMessage", {})
    lists = [(shown, key) for key in ("attachments", "embeds", "stickers", "reactions", "mentions")]
    lists += [(forward, key) for key in _FILES_AND_EMBEDS]
    taken = [(holder, key, holder.pop(key)) for holder, key in lists if key in holder]
    more: dict[str, int] = {}
    for key in ("author", "components", "poll", "interaction"):
        # None of Discord's own is as long as this.
        if key in shown and len(storable_json(shown[key]).encode()) > SHOWN_BYTES // 4:
            del shown[key]
            more[key] = 1
    room -= len(storable_json(shown).encode())
    # First what was said and shown; then who reacted and was mentioned.
    for holder, key, elements in taken:
        kept, size = _fitting(elements, room)
        room -= size
        holder[key] = elements[:kept]
        if kept < len(elements):
            more[key] = more.get(key, 0) + len(elements) - kept
    return {**shown, "more": more}


def _fitting(elements: Sequence[Any], room: int) -> tuple[int, int]:
    """How many of the first elements fit into so many bytes, and how many bytes they take."""
    size = 16  # the key
    for number, element in enumerate(elements):
        added = len(storable_json(element).encode()) + 1
        if size + added > room:
            return number, size
        size += added
    return len(elements), size


def _lists(of: Object, reads: dict[str, _Read]) -> dict[str, Any]:
    """The lists under these keys, without elements that show nothing, and without empty lists."""
    lists = {}
    for key, read in reads.items():
        if of.get(key) and (
            elements := [shown for each in raw_json.parts(of, key) if (shown := read(each))]
        ):
            lists[key] = elements
    return lists


def _texts(of: Any, *keys: str) -> dict[str, str]:
    """The short texts under these keys."""
    if not isinstance(of, dict):
        return {}
    return {key: text[:LONGEST_NAME] for key in keys if (text := raw_json.text(of, key))}


def _user(user: Object, *, with_roles: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = _texts(user, "id", "name", "nickname")
    if with_roles:
        shown.update(_texts(user, "color"))
        shown.update(_address(user, "avatarUrl"))
        if user.get("isBot") is True:
            shown["isBot"] = True
        shown.update(_lists(user, {"roles": _role}))
    return shown


def _role(role: Object) -> dict[str, Any]:
    return _texts(role, "id", "name")


def _file(file: Object) -> dict[str, Any]:
    return {
        **_texts(file, "fileName"),
        **_address(file, "url"),
        "fileSizeBytes": raw_json.number(file, "fileSizeBytes"),
    }


def _sticker(sticker: Object) -> dict[str, Any]:
    return _texts(sticker, "id", "name")


def _embed(embed: Object) -> dict[str, Any]:
    shown: dict[str, Any] = {**_texts(embed, "title", "color"), **_address(embed, "url")}
    if description := raw_json.text(embed, "description"):
        shown["description"] = description[:LONGEST_TEXT]
    for key, name in (("author", "name"), ("footer", "text")):
        if said := raw_json.text(raw_json.part(embed, key), name):
            shown[key] = {name: said[:LONGEST_TEXT]}
    for key in ("image", "thumbnail"):
        if address := _address(raw_json.part(embed, key), "url"):
            shown[key] = address
    shown.update(_lists(embed, {"fields": _field}))
    return shown


def _field(field: Object) -> dict[str, Any]:
    value = raw_json.text(field, "value")[:LONGEST_TEXT]
    return {**_texts(field, "name"), **({"value": value} if value else {})}


def _reaction(reaction: Object) -> dict[str, Any]:
    emoji = raw_json.part(reaction, "emoji")
    shown: dict[str, Any] = {
        "emoji": _texts(emoji, "id", "name", "code"),
        "count": raw_json.number(reaction, "count"),
    }
    if emoji.get("isAnimated") is True:
        shown["emoji"]["isAnimated"] = True
    users = reaction.get("users")
    if isinstance(users, list) and users:
        shown["users"] = [_user(user) for user in users[:MOST_NAMED] if isinstance(user, dict)]
    return shown


def _poll(poll: Object) -> dict[str, Any]:
    results = raw_json.part(poll, "results")
    counts = {
        answer.get("id"): raw_json.number(answer, "count")
        for answer in raw_json.parts(results, "answers")
        if isinstance(answer.get("id"), (int, str))
    }
    return {
        "question": _asked(poll)[:LONGEST_NAME],
        **_texts(poll, "expiresAt"),
        "answers": [
            {
                "text": raw_json.text(answer, "text")[:LONGEST_NAME],
                "count": counts.get(answer["id"], 0)
                if isinstance(answer.get("id"), (int, str))
                else 0,
            }
            for answer in raw_json.parts(poll, "answers")[:MOST_NAMED]
        ],
        "isFinalized": raw_json.flag(results, "isFinalized"),
    }


def _asked(poll: Object) -> str:
    return raw_json.text(poll, "question") or raw_json.text(raw_json.part(poll, "question"), "text")


def _address(of: Object, key: str) -> dict[str, str]:
    """A web address; one that is too long leads nowhere when it is cut."""
    address = raw_json.web_address(of, key)
    return {key: address} if address and len(address) <= LONGEST_ADDRESS else {}


def _texts_of_embed(embed: Object) -> Iterable[str]:
    yield raw_json.text(raw_json.part(embed, "author"), "name")
    yield raw_json.text(embed, "title")
    yield raw_json.text(embed, "description")
    for field in raw_json.parts(embed, "fields"):
        yield raw_json.text(field, "name")
        yield raw_json.text(field, "value")
    yield raw_json.text(raw_json.part(embed, "footer"), "text")


def _texts_of_poll(poll: Object) -> Iterable[str]:
    if poll:
        yield _asked(poll)
        for answer in raw_json.parts(poll, "answers"):
            yield raw_json.text(answer, "text")


def _texts_of_components(of: Object, depth: int = 0) -> list[str]:
    """What buttons, menus and text blocks say, in their order."""
    if depth == DEEPEST or not of.get("components"):
        return []
    texts = []
    for component in raw_json.parts(of, "components"):
        for key in ("content", "label", "placeholder", "description"):
            if said := raw_json.text(component, key):
                texts.append(said)
        texts += _texts_of_components(component, depth + 1)
    return texts


_FILES_AND_EMBEDS: dict[str, _Read] = {
    "attachments": _file,
    "embeds": _embed,
    "stickers": _sticker,
}

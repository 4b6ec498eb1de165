"""A message of the API as the exporter's document has it, key by key in its order.

Equal to DiscordChatExporter 2.47 with `--utc --markdown false`, and richer: `poll`, `components`,
`messageSnapshots` (a forward whole), and `discord`, all that Discord sent, where there is something
in it that this module does not know. No message is dropped for being odd.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from messages_app.discord import pictures
from messages_app.discord.embeds import embeds_of
from messages_app.discord.emoji import emoji_object, emojis_in
from messages_app.discord.people import JsonObject, People, told
from messages_app.discord.times import time_text
from messages_app.errors import ExportUnusable
from messages_app.snowflakes import id_in, instant_of

# The kinds in which people and bots write; others have no content as a rule.
_WRITTEN = frozenset((0, 19, 20, 23))
# What is withheld from a bot without the Message Content intent.
_CONTENTS = ("content", "attachments", "embeds", "components", "poll")
_NAMES = {
    0: "Default",
    1: "RecipientAdd",
    2: "RecipientRemove",
    3: "Call",
    4: "ChannelNameChange",
    5: "ChannelIconChange",
    6: "ChannelPinnedMessage",
    7: "GuildMemberJoin",
    18: "ThreadCreated",
    19: "Reply",
}
# Those that Discord's documentation names, at version 10 of its API.
_KNOWN_TYPES = frozenset((*range(13), *range(14, 30), 31, 32, 36, 37, 38, 39, 44, 46))
_KNOWN_KEYS = frozenset(
    {
        "id",
        "channel_id",
        "guild_id",
        "author",
        "member",
        "content",
        "timestamp",
        "edited_timestamp",
        "tts",
        "mention_everyone",
        "mentions",
        "mention_roles",
        "mention_channels",
        "attachments",
        "embeds",
        "reactions",
        "nonce",
        "pinned",
        "webhook_id",
        "type",
        "activity",
        "application",
        "application_id",
        "flags",
        "message_reference",
        "message_snapshots",
        "referenced_message",
        "interaction_metadata",
        "interaction",
        "thread",
        "components",
        "sticker_items",
        "stickers",
        "position",
        "role_subscription_data",
        "resolved",
        "poll",
        "call",
        "shared_client_theme",
    }
)
_STICKER_FORMATS = {1: ("Png", "png"), 2: ("Apng", "png"), 3: ("Lottie", "json"), 4: ("Gif", "gif")}
_REFERENCE_TYPES = {0: "Default", 1: "Forward"}
# What .NET takes for no time at all.
_NO_TIME = "0001-01-01T00:00:00+00:00"


def document_of(
    raw: Mapping[str, Any],
    people: People,
    reaction_users: Mapping[str, list[Mapping[str, Any]]] | None = None,
) -> JsonObject:
    """Given the API's message, return the document's; raise ExportUnusable where it has no id.

    `reaction_users` are those who reacted, by the emoji as `emoji_key` writes it.
    """
    try:
        document = _document(raw, people, reaction_users or {})
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        document = _least(raw)
    if not _is_one_of(raw, _KNOWN_TYPES) or not _KNOWN_KEYS.issuperset(raw):
        document["discord"] = raw
    return document


def is_blank(raw: Mapping[str, Any]) -> bool:
    """Whether a message that somebody wrote shows nothing, as to a bot that may not read contents.

    Stickers and forwards are shown to it. A bot that is still thinking shows a blank one, too.
    """
    return _is_one_of(raw, _WRITTEN) and not any(raw.get(key) for key in _CONTENTS)


def proves_intent(raw: Mapping[str, Any]) -> bool:
    """Whether only a bot that may read contents is shown what this message holds.

    That is content of a person who mentions nobody: what mentions the bot is shown in any case.
    """
    author = raw.get("author")
    mentions = any(raw.get(key) for key in ("mentions", "mention_roles", "mention_everyone"))
    return (
        any(raw.get(key) for key in _CONTENTS)
        and isinstance(author, dict)
        and not (author.get("bot") or raw.get("webhook_id") or mentions)
    )


def users_of(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The users of a message whose names in the guild are needed; webhooks have none."""
    mentions, interaction = raw.get("mentions"), raw.get("interaction")
    users = list(mentions) if isinstance(mentions, list) else []
    if isinstance(interaction, dict):
        users.append(interaction.get("user"))
    # The answer of an application has a webhook's id, too, and is a member's.
    if not raw.get("webhook_id") or raw.get("application_id"):
        users.append(raw.get("author"))
    return [user for user in users if isinstance(user, dict) and id_in(user.get("id"))]


def emoji_key(emoji: Mapping[str, Any]) -> str:
    """An emoji as a path of the API names it: `name:id`, or its character."""
    name = emoji.get("name") or ""
    return f"{name}:{emoji['id']}" if emoji.get("id") else name


def _is_one_of(raw: Mapping[str, Any], types: frozenset[int]) -> bool:
    kind = raw.get("type")
    return isinstance(kind, int) and kind in types


def _document(
    raw: Mapping[str, Any],
    people: People,
    reaction_users: Mapping[str, list[Mapping[str, Any]]],
) -> JsonObject:
    content = raw.get("content") or ""
    document: JsonObject = {
        "id": str(int(raw["id"])),
        "type": _NAMES.get(raw["type"], str(int(raw["type"]))),
        "timestamp": time_text(raw["timestamp"]),
        "timestampEdited": _optional_time(raw.get("edited_timestamp")),
        "callEndedTimestamp": _optional_time((raw.get("call") or {}).get("ended_timestamp")),
        "isPinned": bool(raw.get("pinned")),
        "content": _system_text(raw) or content,
        "author": people.user(raw["author"]),
        "attachments": [_attachment(one) for one in raw.get("attachments") or ()],
        "embeds": embeds_of(raw.get("embeds") or ()),
        "stickers": [_sticker(one) for one in raw.get("sticker_items") or ()],
        "reactions": [_reaction(one, people, reaction_users) for one in raw.get("reactions") or ()],
        "mentions": [people.user(user) for user in raw.get("mentions") or ()],
    }
    if reference := raw.get("message_reference"):
        document["reference"] = _reference(reference)
    if forwards := _forwards(raw):
        document["forwardedMessage"] = _forwarded(forwards[0])
        document["messageSnapshots"] = raw["message_snapshots"]
    if interaction := raw.get("interaction"):
        document["interaction"] = {
            "id": interaction["id"],
            "name": interaction["name"],
            "user": people.user(interaction["user"]),
        }
    if poll := raw.get("poll"):
        document["poll"] = _poll(poll)
    if components := raw.get("components"):
        document["components"] = components
    document["inlineEmojis"] = emojis_in(content)
    return document


def _least(raw: Mapping[str, Any]) -> JsonObject:
    """What can be said of a message whose form is not the documented one; the rest is in `discord`.

    Raise ExportUnusable where it is no message at all.
    """
    try:
        message_id = int(raw["id"])
        posted_at = instant_of(message_id)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise ExportUnusable(
            "Discord sent a message without an id: the window will be read again."
        ) from None
    kind, content, author = raw.get("type"), raw.get("content"), raw.get("author")
    user_id = author.get("id") if isinstance(author, dict) else None
    name = author.get("username") if isinstance(author, dict) else None
    return {
        "id": str(message_id),
        "type": _NAMES.get(kind, str(kind)) if isinstance(kind, int) else "Default",
        "timestamp": time_text(posted_at.isoformat()),
        "timestampEdited": _time_or_none(raw.get("edited_timestamp")),
        "callEndedTimestamp": None,
        "isPinned": raw.get("pinned") is True,
        "content": content if isinstance(content, str) else "",
        "author": {
            "id": user_id if isinstance(user_id, str) else None,
            "name": name if isinstance(name, str) else "",
        },
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [],
        "mentions": [],
        "inlineEmojis": [],
        "discord": raw,
    }


def _system_text(raw: Mapping[str, Any]) -> str:
    """The sentence that DiscordChatExporter writes for a message of Discord itself, or ""."""
    kind = raw["type"]
    if kind in (1, 2):
        return _group_text(raw)
    if kind == 3:
        return f"Started a call that lasted {_call_minutes(raw)} minutes."
    if kind == 4:
        name = told(raw.get("content"))
        return f"Changed the channel name: {name}" if name else "Changed the channel name."
    sentences = {
        5: "Changed the channel icon.",
        6: "Pinned a message.",
        7: "Joined the server.",
        18: "Started a thread.",
    }
    return sentences.get(kind, "")


def _group_text(raw: Mapping[str, Any]) -> str:
    mentions = raw.get("mentions") or ()
    if not mentions:
        return "Added a recipient." if raw["type"] == 1 else "Removed a recipient."
    first = mentions[0]
    name = told(first.get("global_name")) or first["username"]
    if raw["type"] == 1:
        return f"Added {name} to the group."
    if first["id"] == raw["author"]["id"]:
        return "Left the group."
    return f"Removed {name} from the group."


def _call_minutes(raw: Mapping[str, Any]) -> str:
    ended = (raw.get("call") or {}).get("ended_timestamp")
    if not ended:
        return "0"
    lasted = datetime.fromisoformat(ended) - datetime.fromisoformat(raw["timestamp"])
    return f"{lasted.total_seconds() / 60:,.0f}"


def _attachment(raw: Mapping[str, Any]) -> JsonObject:
    return {
        "id": raw["id"],
        "url": raw["url"],
        "fileName": raw["filename"],
        "fileSizeBytes": int(raw["size"]),
    }


def _sticker(raw: Mapping[str, Any]) -> JsonObject:
    number = raw["format_type"]
    name, extension = _STICKER_FORMATS.get(number, (str(number), "png"))
    return {
        "id": raw["id"],
        "name": raw["name"],
        "format": name,
        "sourceUrl": pictures.sticker(raw["id"], extension),
    }


def _reaction(
    raw: Mapping[str, Any],
    people: People,
    reaction_users: Mapping[str, list[Mapping[str, Any]]],
) -> JsonObject:
    emoji = raw["emoji"]
    users = reaction_users.get(emoji_key(emoji), ())
    return {
        "emoji": emoji_object(
            told(emoji.get("id")), told(emoji.get("name")), animated=bool(emoji.get("animated"))
        ),
        "count": int(raw["count"]),
        "users": [people.user(user, with_roles=False) for user in users],
    }


def _reference(raw: Mapping[str, Any]) -> JsonObject:
    kind = raw.get("type") or 0
    return {
        "type": _REFERENCE_TYPES.get(kind, str(kind)),
        "messageId": told(raw.get("message_id")),
        "channelId": told(raw.get("channel_id")),
        "guildId": told(raw.get("guild_id")),
    }


def _forwards(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    snapshots = raw.get("message_snapshots") or ()
    return [one["message"] for one in snapshots if one.get("message")]


def _forwarded(raw: Mapping[str, Any]) -> JsonObject:
    return {
        "timestamp": _optional_time(raw.get("timestamp")) or _NO_TIME,
        "timestampEdited": _optional_time(raw.get("edited_timestamp")),
        "content": raw.get("content") or "",
        "attachments": [_attachment(one) for one in raw.get("attachments") or ()],
        "embeds": embeds_of(raw.get("embeds") or (), merge=False),
        "stickers": [_sticker(one) for one in raw.get("sticker_items") or ()],
    }


def _poll(raw: Mapping[str, Any]) -> JsonObject:
    poll: JsonObject = {
        "question": raw["question"].get("text") or "",
        "expiresAt": _optional_time(raw.get("expiry")),
        "allowsMultipleAnswers": bool(raw.get("allow_multiselect")),
        "answers": [_answer(one) for one in raw.get("answers") or ()],
    }
    if results := raw.get("results"):
        poll["results"] = {
            "isFinalized": bool(results.get("is_finalized")),
            "answers": [
                {
                    "id": one["id"],
                    "count": one["count"],
                    "didCurrentUserVote": bool(one.get("me_voted")),
                }
                for one in results.get("answer_counts") or ()
            ],
        }
    return poll


def _answer(raw: Mapping[str, Any]) -> JsonObject:
    media = raw["poll_media"]
    answer: JsonObject = {"id": raw["answer_id"], "text": media.get("text") or ""}
    if emoji := media.get("emoji"):
        answer["emoji"] = emoji_object(
            told(emoji.get("id")), told(emoji.get("name")), animated=bool(emoji.get("animated"))
        )
    return answer


def _optional_time(text: str | None) -> str | None:
    return time_text(text) if text else None


def _time_or_none(value: Any) -> str | None:
    try:
        return time_text(value) if value else None
    except (ValueError, TypeError, AttributeError):
        return None

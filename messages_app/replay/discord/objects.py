"""The API's objects, made of the documents that a conversation is written in."""

from __future__ import annotations

import re
from typing import Any

from messages_app.replay.script import JsonObject

_TYPES = {
    "Default": 0,
    "RecipientAdd": 1,
    "RecipientRemove": 2,
    "Call": 3,
    "ChannelNameChange": 4,
    "ChannelIconChange": 5,
    "ChannelPinnedMessage": 6,
    "GuildMemberJoin": 7,
    "ThreadCreated": 18,
    "Reply": 19,
}
_FORMATS = {"Png": 1, "Apng": 2, "Lottie": 3, "Gif": 4}
_SYSTEM = range(1, 19)
_AVATAR = re.compile(r"/avatars/(?:[0-9]+/)?((?:a_)?[0-9a-f]{32})\.")


def message(document: JsonObject, channel_id: str, guild_id: str) -> JsonObject:
    """The API's message. The document's key `api` holds keys of the API to add or replace."""
    kind = document["type"]
    number = _TYPES[kind] if kind in _TYPES else int(kind)
    raw: JsonObject = {
        "id": document["id"],
        "channel_id": channel_id,
        "type": number,
        "content": "" if number in _SYSTEM else document["content"],
        "author": user(document["author"]),
        "attachments": [_attachment(each) for each in document["attachments"]],
        "embeds": [_embed(each) for each in document["embeds"]],
        "mentions": [user(each) for each in document["mentions"]],
        "mention_roles": [],
        "mention_everyone": False,
        "pinned": document["isPinned"],
        "tts": False,
        "flags": 0,
        "components": document.get("components", []),
        "timestamp": time(document["timestamp"]),
        "edited_timestamp": time(document["timestampEdited"]),
    }
    if document["stickers"]:
        raw["sticker_items"] = [
            {"id": each["id"], "name": each["name"], "format_type": _FORMATS[each["format"]]}
            for each in document["stickers"]
        ]
    if document["reactions"]:
        raw["reactions"] = [_reaction(each) for each in document["reactions"]]
    if "reference" in document:
        raw["message_reference"] = _reference(document["reference"], guild_id)
    raw.update(document.get("api", {}))
    return raw


def user(document: JsonObject) -> JsonObject:
    """The API's user; the document's nickname is told as the name that it has everywhere."""
    name, nickname = document["name"], document["nickname"]
    digest = _AVATAR.search(document["avatarUrl"])
    return {
        "id": document["id"],
        "username": name,
        "discriminator": document["discriminator"].lstrip("0") or "0",
        "global_name": nickname if nickname != name else None,
        "avatar": digest[1] if digest else None,
        "bot": document["isBot"],
    }


def emoji_key(emoji: JsonObject) -> str:
    """An emoji as a path names it."""
    return f"{emoji['name']}:{emoji['id']}" if emoji["id"] else str(emoji["name"])


def time(text: str | None) -> str | None:
    """A time with the six digits that the API always writes."""
    if text is None:
        return None
    head, _, digits = text.removesuffix("+00:00").partition(".")
    return f"{head}.{digits.ljust(6, '0')}+00:00"


def _attachment(document: JsonObject) -> JsonObject:
    return {
        "id": document["id"],
        "filename": document["fileName"],
        "size": document["fileSizeBytes"],
        "url": document["url"],
        "proxy_url": document["url"].replace("cdn.discordapp.com", "media.discordapp.net"),
        "content_type": "application/octet-stream",
    }


def _embed(document: JsonObject) -> JsonObject:
    colour = document.get("color")
    raw: JsonObject = {
        "type": "rich",
        "title": document["title"],
        "url": document["url"],
        "timestamp": time(document["timestamp"]),
        "description": document["description"],
        "color": int(colour[1:], 16) if colour else None,
        "fields": [
            {"name": each["name"], "value": each["value"], "inline": each["isInline"]}
            for each in document["fields"]
        ],
    }
    return {key: value for key, value in raw.items() if value not in (None, [])}


def _reaction(document: JsonObject) -> JsonObject:
    emoji = document["emoji"]
    return {
        "emoji": {"id": emoji["id"] or None, "name": emoji["name"]},
        "count": document["count"],
        "count_details": {"burst": 0, "normal": document["count"]},
        "burst_colors": [],
        "me": False,
        "me_burst": False,
    }


def _reference(document: JsonObject, guild_id: str) -> JsonObject:
    raw: dict[str, Any] = {
        "type": 1 if document.get("type") == "Forward" else 0,
        "channel_id": document["channelId"],
        "guild_id": document["guildId"] or guild_id,
    }
    if document["messageId"]:
        raw["message_id"] = document["messageId"]
    return raw

"""The pieces of the exporter's document, with its keys in its order."""

from zlib import crc32

from messages_app.replay.instants import snowflake_at, timestamp
from messages_app.replay.script import JsonObject

_CDN = "https://cdn.discordapp.com"
_LAST_KEY = "inlineEmojis"


def stable_id(text: str) -> str:
    """A snowflake that always belongs to this name; made in 2020, like an old account's."""
    return str(snowflake_at(1_590_000_000_000 + crc32(text.encode()), 1 + len(text)))


def user(name: str, *, is_bot: bool = False, with_roles: bool = True) -> JsonObject:
    """A user whose account name is the lower-case nickname."""
    user_id = stable_id(name)
    document: JsonObject = {
        "id": user_id,
        "name": name.lower().replace(" ", "_"),
        "discriminator": "0000",
        "nickname": name,
        "color": "#3498DB" if is_bot else None,
        "isBot": is_bot,
    }
    if with_roles:
        document["roles"] = []
    digest = f"{crc32(user_id.encode()):08x}" * 4
    document["avatarUrl"] = f"{_CDN}/avatars/{user_id}/{digest}.png?size=512"
    return document


def message(
    message_id: int, posted_ms: int, content: str, author: JsonObject, kind: str = "Default"
) -> JsonObject:
    """A message with every key that the exporter always writes."""
    return {
        "id": str(message_id),
        "type": kind,
        "timestamp": timestamp(posted_ms),
        "timestampEdited": None,
        "callEndedTimestamp": None,
        "isPinned": False,
        "content": content,
        "author": author,
        "attachments": [],
        "embeds": [],
        "stickers": [],
        "reactions": [],
        "mentions": [],
        _LAST_KEY: [],
    }


def with_keys(document: JsonObject, keys: JsonObject) -> JsonObject:
    """The document with these keys too; those it lacks go before the last one, as they do there."""
    merged = {**document, **keys}
    if _LAST_KEY in merged:
        merged[_LAST_KEY] = merged.pop(_LAST_KEY)
    return merged


def attachment(channel_id: str, attachment_id: int, file_name: str, size: int) -> JsonObject:
    """An attached file of `size` bytes."""
    return {
        "id": str(attachment_id),
        "url": f"{_CDN}/attachments/{channel_id}/{attachment_id}/{file_name}",
        "fileName": file_name,
        "fileSizeBytes": size,
    }


def emoji(name: str, emoji_id: str = "", code: str | None = None) -> JsonObject:
    """An emoji: a custom one has an id, any other is its character."""
    image = f"{_CDN}/emojis/{emoji_id}.png" if emoji_id else f"{_CDN}/emoji/{ord(name[0]):x}.svg"
    return {
        "id": emoji_id,
        "name": name,
        "code": code or name,
        "isAnimated": False,
        "imageUrl": image,
    }


def reaction(of: JsonObject, names: list[str]) -> JsonObject:
    """A reaction by these people; users inside reactions have no roles."""
    users = [user(name, with_roles=False) for name in names]
    return {"emoji": of, "count": len(users), "users": users}


def sticker(name: str) -> JsonObject:
    """A sticker of Discord's own."""
    sticker_id = stable_id(name)
    return {
        "id": sticker_id,
        "name": name,
        "format": "Png",
        "sourceUrl": f"{_CDN}/stickers/{sticker_id}.png",
    }


def embed(title: str, url: str, description: str) -> JsonObject:
    """A link's preview or a bot's card."""
    return {
        "title": title,
        "url": url,
        "timestamp": None,
        "description": description,
        "color": "#1ABC9C",
        "images": [],
        "fields": [],
        "inlineEmojis": [],
    }


def reference(channel_id: str, guild_id: str, message_id: int) -> JsonObject:
    """What a reply points at."""
    return {
        "type": "Default",
        "messageId": str(message_id),
        "channelId": channel_id,
        "guildId": guild_id,
    }

"""Where Discord keeps pictures: avatars, icons, emoji, stickers."""

from __future__ import annotations

CDN = "https://cdn.discordapp.com"
_SIZE = 512


def user_avatar(user_id: str, digest: str) -> str:
    return _picture(f"avatars/{user_id}", digest)


def member_avatar(guild_id: str, user_id: str, digest: str) -> str:
    return _picture(f"guilds/{guild_id}/users/{user_id}/avatars", digest)


def default_avatar(user_id: str, discriminator: int) -> str:
    """What is shown for a user without a picture: by the old number behind its name, or its id."""
    index = discriminator % 5 if discriminator else (int(user_id) >> 22) % 6
    return f"{CDN}/embed/avatars/{index}.png"


def guild_icon(guild_id: str, digest: str | None) -> str:
    return _picture(f"icons/{guild_id}", digest) if digest else f"{CDN}/embed/avatars/0.png"


def sticker(sticker_id: str, extension: str) -> str:
    return f"{CDN}/stickers/{sticker_id}.{extension}"


def custom_emoji(emoji_id: str, *, animated: bool) -> str:
    return f"{CDN}/emojis/{emoji_id}.{'gif' if animated else 'png'}"


def standard_emoji(character: str) -> str:
    """The picture of an emoji of Unicode, as DiscordChatExporter names it.

    The variation selector is left out unless a joiner makes the emoji of several.
    """
    is_joined = "\u200d" in character
    codes = [f"{ord(part):x}" for part in character if is_joined or part != "\ufe0f"]
    return f"https://cdn.jsdelivr.net/gh/twitter/twemoji@latest/assets/svg/{'-'.join(codes)}.svg"


def _picture(folder: str, digest: str) -> str:
    extension = "gif" if digest.startswith("a_") else "png"
    return f"{CDN}/{folder}/{digest}.{extension}?size={_SIZE}"

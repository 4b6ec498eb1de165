"""Emoji of reactions and in texts, as the exporter's document has them.

What stands here follows from a message's text or from an emoji itself: it is for readers of the
document, and no difference in it counts as one of the message.
"""

from __future__ import annotations

import re
import unicodedata

from messages_app.discord import pictures
from messages_app.discord.people import JsonObject

# Discord's own names where they are not the one of Unicode, of the emoji that people use most.
_SHORT_NAMES = {
    "😀": "grinning",
    "😃": "smiley",
    "😄": "smile",
    "😁": "grin",
    "😆": "laughing",
    "😅": "sweat_smile",
    "😂": "joy",
    "🤣": "rofl",
    "😊": "blush",
    "😇": "innocent",
    "🙂": "slight_smile",
    "🙃": "upside_down",
    "😉": "wink",
    "😍": "heart_eyes",
    "😘": "kissing_heart",
    "😋": "yum",
    "😎": "sunglasses",
    "🤔": "thinking",
    "😐": "neutral_face",
    "🙄": "rolling_eyes",
    "😏": "smirk",
    "😮": "open_mouth",
    "😴": "sleeping",
    "😢": "cry",
    "😭": "sob",
    "😡": "rage",
    "😱": "scream",
    "💀": "skull",
    "💩": "poop",
    "👀": "eyes",
    "👋": "wave",
    "👌": "ok_hand",
    "👍": "thumbsup",
    "👎": "thumbsdown",
    "👏": "clap",
    "🙌": "raised_hands",
    "🙏": "pray",
    "💪": "muscle",
    "❤": "heart",
    "💔": "broken_heart",
    "🔥": "fire",
    "✨": "sparkles",
    "⭐": "star",
    "🎉": "tada",
    "🎂": "birthday",
    "🏆": "trophy",
    "🏁": "checkered_flag",
    "🚀": "rocket",
    "💯": "100",
    "✅": "white_check_mark",
    "❌": "x",
    "❓": "question",
    "❗": "exclamation",
    "☀": "sunny",
    "🌧": "cloud_rain",
    "⚡": "zap",
    "🚴": "person_biking",
    "🏎": "race_car",
}
_SELECTOR = "\ufe0f"
_ONE = "[\U0001f000-\U0001faff\u2600-\u27bf\u231a-\u23ff\u2b05-\u2b55\u2190-\u21ff\u3030\u303d]"
# What is no emoji comes first: escapes, code, links, and a few that DiscordChatExporter leaves out.
# Two letters of a flag make one emoji; what is joined (a family) is written member by member.
_IN_TEXT = re.compile(
    r"\\[^a-zA-Z0-9\s]"
    r"|```.*?```|``[^`]+``|`[^`]+`"
    r"|<?https?://\S+"
    r"|[\u26A7\u2640\u2642\u2695\u267E\u2728]"
    r"|<(?P<animated>a)?:(?P<name>[^:<>\s]+):(?P<id>\d+)>"
    rf"|(?P<standard>[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]{_SELECTOR}?\u20e3"
    rf"|{_ONE}{_SELECTOR}?)",
    re.DOTALL,
)


def emoji_object(emoji_id: str | None, name: str | None, *, animated: bool) -> JsonObject:
    """The document's emoji; one without an id is its character, and its name can be missing."""
    name = name or "Unknown Emoji"
    if emoji_id:
        image = pictures.custom_emoji(emoji_id, animated=animated)
    else:
        image = pictures.standard_emoji(name)
    return {
        "id": emoji_id or "",
        "name": name,
        "code": name if emoji_id else code_of(name),
        "isAnimated": animated,
        "imageUrl": image,
    }


def emojis_in(text: str) -> list[JsonObject]:
    """The emoji of a message's text, one for each name, in their order."""
    if text.isascii() and "<" not in text:
        return []
    found: dict[str, JsonObject] = {}
    for match in _IN_TEXT.finditer(text):
        if match["id"]:
            name, emoji_id = match["name"], match["id"]
        elif match["standard"]:
            name, emoji_id = match["standard"], None
        else:
            continue
        if name not in found:
            found[name] = emoji_object(emoji_id, name, animated=bool(match["animated"]))
    return list(found.values())


def code_of(character: str) -> str:
    """The name of an emoji between colons, as `thumbsup`; itself where it has none."""
    plain = character.replace(_SELECTOR, "")
    if plain in _SHORT_NAMES:
        return _SHORT_NAMES[plain]
    if len(plain) != 1:
        return character
    name = unicodedata.name(plain, "").lower()
    return re.sub(r"[^a-z0-9]+", "_", name) or character

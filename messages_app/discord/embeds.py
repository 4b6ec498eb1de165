"""Embeds of the API as the exporter's document has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from messages_app.discord.emoji import emojis_in
from messages_app.discord.people import JsonObject, colour, told
from messages_app.discord.times import time_text


def embeds_of(raw: Iterable[Mapping[str, Any]], *, merge: bool = True) -> list[JsonObject]:
    """The document's embeds; `merge` joins those that Discord makes of one post's pictures.

    A post with several pictures comes as one embed and one more for each further picture, which
    has nothing but its picture and the same address. Clients show them as one.
    """
    shown: list[JsonObject] = []
    for embed in map(_embed, raw):
        if merge and shown and _continues(shown[-1], embed):
            shown[-1]["images"] = [*shown[-1]["images"], *embed["images"]]
        else:
            shown.append(embed)
    return shown


def _continues(first: JsonObject, embed: JsonObject) -> bool:
    return (
        "://twitter.com/" in (first["url"] or "").lower()
        and embed["url"] == first["url"]
        and embed["timestamp"] is None
        and "author" not in embed
        and "color" not in embed
        and not embed["description"].strip()
        and not embed["fields"]
        and len(embed["images"]) == 1
        and "footer" not in embed
    )


def _embed(raw: Mapping[str, Any]) -> JsonObject:
    description = raw.get("description") or ""
    embed: JsonObject = {
        "title": raw.get("title") or "",
        "url": told(raw.get("url")),
        "timestamp": time_text(raw["timestamp"]) if raw.get("timestamp") else None,
        "description": description,
    }
    if raw.get("color") is not None:
        embed["color"] = colour(raw["color"])
    if author := raw.get("author"):
        embed["author"] = {
            "name": told(author.get("name")),
            "url": told(author.get("url")),
            **_icon(author),
        }
    for key in ("thumbnail", "image", "video"):
        if picture := raw.get(key):
            embed[key] = _picture(picture)
    if footer := raw.get("footer"):
        embed["footer"] = {"text": footer["text"], **_icon(footer)}
    embed["images"] = [embed["image"]] if "image" in embed else []
    embed["fields"] = [
        {
            "name": field["name"],
            "value": field["value"],
            "isInline": bool(field.get("inline")),
        }
        for field in raw.get("fields") or ()
    ]
    embed["inlineEmojis"] = emojis_in(description)
    return embed


def _icon(raw: Mapping[str, Any]) -> JsonObject:
    plain = told(raw.get("icon_url"))
    if not plain:
        return {}
    return {"iconUrl": told(raw.get("proxy_icon_url")) or plain, "iconCanonicalUrl": plain}


def _picture(raw: Mapping[str, Any]) -> JsonObject:
    plain = told(raw.get("url"))
    addresses = {"url": told(raw.get("proxy_url")) or plain, "canonicalUrl": plain} if plain else {}
    return {**addresses, "width": raw.get("width"), "height": raw.get("height")}

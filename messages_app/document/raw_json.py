"""Reads of exported JSON that never fail: what is missing or of another type is empty.

Texts come without NUL and lone surrogates, which no answer can hold; numbers and ids within what a
database and arithmetic can take.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from messages_app.document.message import storable_text
from messages_app.snowflakes import LARGEST_ID, id_in

Object = Mapping[str, Any]


def parsed(raw: str) -> Object:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def text(of: Object, key: str) -> str:
    value = of.get(key)
    return storable_text(value) if isinstance(value, str) else ""


def number(of: Object, key: str) -> int:
    """A size or a count, from 0 up to what nobody has."""
    value = of.get(key)
    return max(0, min(value, LARGEST_ID)) if isinstance(value, int) else 0


def discord_id(of: Object, key: str) -> int | None:
    """A Discord id, which exports hold as a string of digits."""
    return id_in(of.get(key))


def part(of: Object, key: str) -> Object:
    value = of.get(key)
    return value if isinstance(value, dict) else {}


def parts(of: Object, key: str) -> list[Object]:
    value = of.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def web_address(of: Object, key: str) -> str:
    """An address that is safe as a link: http or https, or nothing."""
    value = text(of, key)
    return value if value.lower().startswith(("https://", "http://")) else ""


def flag(of: Object, key: str) -> bool:
    return of.get(key) is True

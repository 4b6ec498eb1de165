"""The bytes of the document, written in place and message by message."""

import os
import re
from typing import Any

from messages_app.replay.script import ChannelInfo, JsonObject

# What .NET's relaxed encoder escapes: controls, odd spaces, surrogates, private use, and all
# beyond the basic plane. A lone surrogate of a scenario leaves as an escape, too.
_ESCAPED = re.compile(
    '[\x00-\x1f"\\\\\x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000'
    "\ud800-\uf8ff\ufffe\uffff\U00010000-\U0010ffff]"
)
_NAMED = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def encode(value: Any, indent: str = "") -> str:
    """One JSON value, indented by two from `indent` on; what is empty is closed at once."""
    if isinstance(value, str):
        return f'"{_ESCAPED.sub(_escape, value)}"'
    if isinstance(value, dict):
        pairs = [
            f"{indent}  {encode(str(key))}: {encode(item, indent + '  ')}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(pairs) + f"\n{indent}}}" if pairs else "{}"
    if isinstance(value, list | tuple):
        items = [f"{indent}  {encode(item, indent + '  ')}" for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]" if items else "[]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04X}\\u{0xDC00 + (code & 0x3FF):04X}"
    return f"\\u{code:04X}"


def head(
    channel: ChannelInfo, after: str | None, before: str | None, exported_at: str
) -> JsonObject:
    """What stands before the messages."""
    return {
        "guild": {"id": channel.guild_id, "name": channel.guild, "iconUrl": channel.icon_url},
        "channel": {
            "id": channel.channel_id,
            "type": channel.kind,
            "categoryId": channel.category_id,
            "category": channel.category,
            "name": channel.name,
            "topic": channel.topic,
        },
        "dateRange": {"after": after, "before": before},
        "exportedAt": exported_at,
    }


class DocumentWriter:
    """A document on disk that grows: it begins at once, and ends when `end` is called."""

    def __init__(self, path: str, beginning: JsonObject) -> None:
        """Create the file and its folders; an existing file is emptied first. Raise OSError."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - open until `end`
        self.count = 0
        self.write(encode(beginning)[: -len("\n}")] + ',\n  "messages": [')

    def message(self, document: JsonObject) -> None:
        """Append one message."""
        self.write(("," if self.count else "") + "\n    " + encode(document, "    "))
        self.count += 1

    def end(self, miscount: int = 0) -> None:
        """Close the brackets and the file; the count is wrong by `miscount`."""
        closing = "\n  ]" if self.count else "]"
        self.write(f'{closing},\n  "messageCount": {self.count + miscount}\n}}')
        self._file.close()

    def cut(self, message: JsonObject | None) -> None:
        """Leave the file as a kill in the middle of `message` would."""
        if message is not None:
            text = ("," if self.count else "") + "\n    " + encode(message, "    ")
            self.write(text[: len(text) // 2])
        self._file.close()

    def write(self, text: str) -> None:
        """Send text to the file at once."""
        self._file.write(text.encode())

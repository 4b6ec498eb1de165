"""The exporter's document as bytes, written message by message into its place."""

from __future__ import annotations

import json
import os
import re

from messages_app.discord.people import JsonObject

# Half a character, which Discord sends as an escape, leaves as one.
_LONE = re.compile("[\ud800-\udfff]")
_encode = json.JSONEncoder(indent=2, ensure_ascii=False, check_circular=False).encode


class DocumentWriter:
    """A document that grows on disk; `close` makes it whole, also after an error midway."""

    def __init__(self, path: str, head: JsonObject) -> None:
        """Make the file and its folder; raise OSError."""
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._file = open(path, "wb")  # noqa: SIM115 - open until `close`
        self.count = 0
        self._write(_encode(head)[: -len("\n}")] + ',\n  "messages": [')

    def add(self, message: JsonObject) -> None:
        """Append one message; raise OSError."""
        text = _encode(message).replace("\n", "\n    ")
        self._write(f"{',' if self.count else ''}\n    {text}")
        self.count += 1

    def close(self) -> None:
        """Close the brackets and the file; raise OSError."""
        with self._file:
            end = "\n  ]" if self.count else "]"
            self._write(f'{end},\n  "messageCount": {self.count}\n}}')

    def _write(self, text: str) -> None:
        try:
            data = text.encode()
        except UnicodeEncodeError:
            data = _LONE.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()
        self._file.write(data)

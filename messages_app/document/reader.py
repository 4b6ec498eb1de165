"""Reads DiscordChatExporter's JSON document, of any version: stream, validate, normalise.

    reader = ExportReader(stream)
    print(reader.header().channel_name)
    for message in reader: ...
    if reader.declared_count != reader.read_count: ...

Memory does not grow with the document. Each message is given out as soon as it is read, so those
before a fault are real and can be stored. A message that is no message costs itself alone: it is
left out, and named by the error that then ends the iteration. Nothing of Django is imported here.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

from messages_app.document.fast_layout import ExporterLayout
from messages_app.document.json_stream import MAX_VALUE_CHARS, ImpossibleNumber, JsonStream
from messages_app.document.message import (
    ExportedMessage,
    MessageError,
    is_of_another_layout,
    message_from,
    storable_text,
)
from messages_app.document.times import instant
from messages_app.errors import ExportUnusable
from messages_app.snowflakes import LARGEST_ID, id_in

__all__ = ["ExportHeader", "ExportReader", "ExportedMessage", "NoExport"]

# The first key of a line of whole messages; see whole.py.
WHOLE_MARK = "discord_poller"
# How many messages that are left out are named.
_MOST_NAMED = 5
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!": "RAR",
}

_HEADER_KEYS = frozenset({"guild", "channel"})
_KNOWN_KEYS = _HEADER_KEYS | {"exportedAt", "messages", "messageCount"}


class NoExport(ExportUnusable):
    """A sound document that is something else, such as a program's index."""


class ExportHeader(NamedTuple):
    """What the document says of itself.

    Ids are snowflakes; `guild_id` is 0 for direct messages and where no guild is told; texts that
    are not told are "". `exported_at` is aware and UTC, None in exports older than 2.40.
    """

    channel_id: int
    channel_type: str
    channel_name: str
    category: str
    guild_id: int
    guild_name: str
    exported_at: datetime | None
    category_id: int | None = None


class ExportReader:
    """One pass over one document.

    Every method raises ExportUnusable when the document is cut, damaged or no export; the reader
    is spent then. After the iteration `read_count` is the number of messages given out, up to a
    fault if there was one, and `declared_count` what the document's `messageCount` says, None if
    it says nothing. That they differ is no error here: only the caller knows how much it trusts
    the file.
    """

    def __init__(self, stream: BinaryIO, max_value_chars: int = MAX_VALUE_CHARS) -> None:
        self.read_count = 0
        self.declared_count: int | None = None
        self._json = JsonStream(stream, max_value_chars)
        self._header: ExportHeader | None = None
        self._keys: set[str] = set()
        self._left_out: list[str] = []
        self._left_out_count = 0
        self._messages = self._read()

    def header(self) -> ExportHeader:
        """Return what stands before the messages, reading as far as needed."""
        if self._header is None:
            self._header = self._read_header()
        return self._header

    def __iter__(self) -> Iterator[ExportedMessage]:
        return self._messages

    def _read(self) -> Iterator[ExportedMessage]:
        self.header()
        yield from self._read_messages()
        self._read_footer()
        if self._left_out:
            raise self._without_some()

    def _read_header(self) -> ExportHeader:
        self._open()
        found: dict[str, Any] = {}
        while (key := self._next_key()) != "messages":
            if key is None and WHOLE_MARK in found:
                raise ExportUnusable(
                    "It is what `export_messages --raw` wrote: import it with --raw."
                )
            if key is None:
                raise _no_export("it holds no messages", NoExport)
            found[key] = self._json.value()
            if key == "messageCount":
                self.declared_count = _count(found[key])
        if "channel" not in found:
            raise _no_export("it does not name its channel before its messages")
        return _header_from(found["channel"], found.get("guild"), found.get("exportedAt"))

    def _open(self) -> None:
        """Step into the document's object, or say what the file is instead."""
        first = self._json.next_char()
        for mark, kind in _COMPRESSED.items():
            if self._json.beginning.startswith(mark):
                raise ExportUnusable(
                    f"The file is compressed ({kind}): unpack it, then import what is in it."
                )
        if first == "{":
            self._json.expect("{")
        elif first == "<":
            raise _no_export("it is an HTML page or XML, not JSON")
        elif first == "[":
            self._json.value()
            self._json.end()
            raise _no_export("it is not a JSON object", NoExport)
        elif first:
            raise _no_export("it is not a JSON object")
        elif self._json.is_empty():
            raise ExportUnusable(
                "The export is empty: the exporter wrote nothing, or the disk was full; "
                "export it again."
            )
        else:
            raise self._json.cut_short()

    def _next_key(self) -> str | None:
        """Take the next key of the document's object and its colon; return None at its end."""
        json = self._json
        if not self._keys:
            char = json.expect('"}')
        elif json.expect(",}") == ",":
            char = json.expect('"')
        else:
            return None
        if char == "}":
            return None
        json.position -= 1
        key: str = json.value()
        json.expect(":")
        if key in self._keys and key in _KNOWN_KEYS:
            raise _no_export(f"it has two {key}")
        # What is not known is not looked at again: only known keys may be kept.
        self._keys.add(key if key in _KNOWN_KEYS else "another")
        return key

    def _read_messages(self) -> Iterator[ExportedMessage]:
        json = self._json
        if json.next_char() not in ("[", ""):
            raise _no_export("its messages are not a list")
        json.expect("[")
        if json.next_char() == "]":
            json.position += 1
            return
        layout = ExporterLayout(json.text, json.position)
        while True:
            taken = layout.take(json.text, json.position)
            if taken is None and json.refill():
                # Cut by the end of the buffer, most likely: the general way would take it apart.
                taken = layout.take(json.text, json.position)
            if taken is None:
                message = self._read_message()
            else:
                message, json.position = taken
            if message is not None:
                self.read_count += 1
                yield message
            # The exporter's own separator in one comparison; the general way takes two searches.
            if json.text.startswith(layout.separator, json.position):
                json.position += len(layout.separator)
            elif json.expect(",]") == "]":
                return
            else:
                json.next_char()

    def _read_message(self) -> ExportedMessage | None:
        """Take a message of any layout; None where it must be left out."""
        try:
            value = self._json.value()
            if is_of_another_layout(value):
                raise _no_export("its messages are laid out as another program does it")
            return message_from(value)
        except MessageError as fault:
            self._leave_out(str(fault))
        except RecursionError:
            self._leave_out("is nested too deeply")
        except ImpossibleNumber:
            self._leave_out("holds a number beyond any meaning")
        return None

    def _leave_out(self, reason: str) -> None:
        self._left_out_count += 1
        if self._left_out_count <= _MOST_NAMED:
            number = self.read_count + self._left_out_count
            self._left_out.append(f"essage {number:,} of the export {reason}")

    def _without_some(self) -> ExportUnusable:
        named = ", m".join(self._left_out)
        unnamed = self._left_out_count - len(self._left_out)
        more = f", and {unnamed:,} more are no better" if unnamed else ""
        return ExportUnusable(
            f"M{named}{more}: all others are taken; use a file that DiscordChatExporter wrote as "
            "JSON."
        )

    def _read_footer(self) -> None:
        while (key := self._next_key()) is not None:
            if key in _HEADER_KEYS:
                raise _no_export(f"its {key} follows after the messages")
            value = self._json.value()
            if key == "messageCount":
                self.declared_count = _count(value)
        self._json.end()


def _no_export(reason: str, kind: type[ExportUnusable] = ExportUnusable) -> ExportUnusable:
    return kind(
        f"This is not an export: {reason}; use a file that DiscordChatExporter wrote as JSON."
    )


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_ID:
        raise _no_export("its messageCount is not a count")
    return value


def _header_from(channel: Any, guild: Any, exported_at: Any) -> ExportHeader:
    if not isinstance(channel, dict):
        raise _no_export("its channel is not an object")
    if not isinstance(guild or {}, dict):
        raise _no_export("its guild is not an object")
    guild = guild or {}
    channel_id = id_in(channel.get("id"))
    if channel_id is None:
        raise _no_export("its channel's id is not a snowflake")
    # Direct messages belong to no guild, which the exporter writes as guild "0".
    guild_id = 0 if guild.get("id") in (None, "", "0") else id_in(guild["id"])
    if guild_id is None:
        raise _no_export("its guild's id is not a snowflake")
    return ExportHeader(
        channel_id,
        _text(channel.get("type")),
        _text(channel.get("name")),
        _text(channel.get("category")),
        guild_id,
        _text(guild.get("name")),
        _export_time(exported_at),
        id_in(channel.get("categoryId")),
    )


def _text(value: Any) -> str:
    return storable_text(value) if isinstance(value, str) else ""


def _export_time(value: Any) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        return instant(value)
    except (ValueError, TypeError):
        raise _no_export("its exportedAt is not a time with an offset") from None

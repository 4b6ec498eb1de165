"""A JSON document read piece by piece from bytes: one value in memory at a time.

Wraps the standard library's decoder in a sliding buffer of text. Every fault of the document is an
`ExportUnusable` that names no text of it.
"""

import codecs
import json
import re
from typing import Any, BinaryIO, NoReturn

from messages_app.errors import ExportUnusable

# Bytes asked for at a time: large enough that a value cut by the end of the buffer, to be decoded
# twice, is rare; small enough that the C library reuses the memory. With 256 KiB, which an emoji
# widens to 1 MiB of text, it leaves holes between the blocks and the process grows without end.
READ_BYTES = 64 * 1024

# Characters that one value (one message) may take. The longest seen had 90 thousand; a bound is
# needed because a document that never closes a bracket would otherwise be kept in memory whole.
MAX_VALUE_CHARS = 64 * 1024 * 1024

# Enough to recognise a compressed file.
_BEGINNING_BYTES = 8

_SPACE = re.compile(r"[ \t\n\r]*")
_LITERALS = ("true", "false", "null")
_NUMBER_CHARS = frozenset("0123456789+-.eE")
# What can stand behind the digits of a number that goes on beyond the end of the buffer.
_NUMBER_GOES_ON = re.compile(r"(?:\.|[eE][+-]?)?")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """Given a JSON number with a fraction or exponent, return it; raise ValueError beyond 1e308."""
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("the number has no finite value")
    return number


# Infinity and NaN, which Python takes for JSON, could not be written back as JSON.
decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).raw_decode
# Takes any number: it finds the end of a value whose numbers cannot be kept.
_decode_any_number = json.JSONDecoder(parse_float=str, parse_int=str).raw_decode


class ImpossibleNumber(ExportUnusable):
    """A value holds a number that cannot be kept; the stream stands behind the value."""


def _may_go_on(fault: json.JSONDecodeError, text: str) -> bool:
    """Tell a value that is cut by the end of `text` from one that no continuation makes valid."""
    if fault.msg.startswith("Unterminated string"):
        return True
    rest = text[fault.pos : fault.pos + 32]
    if fault.pos + len(rest) < len(text):
        return False
    if fault.msg.startswith("Invalid \\uXXXX"):
        return len(rest) <= len("\\uXXXX")
    return any(word.startswith(rest) for word in _LITERALS) or _NUMBER_CHARS.issuperset(rest)


class JsonStream:
    """The document's text from `position` on, as far as it was read.

    `text` and `position` are public so that a reader who knows a layout can match it in place and
    move `position` behind what it took. `beginning` holds the document's first bytes, once read.
    """

    def __init__(self, stream: BinaryIO, max_value_chars: int = MAX_VALUE_CHARS) -> None:
        self.text = ""
        self.position = 0
        self.beginning = b""
        self._stream = stream
        self._max_value_chars = max_value_chars
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._ended = False
        self._fault_at_end = ""
        self._chars_before = 0

    def next_char(self) -> str:
        """Skip white space and return the character there, or "" at the end of the document."""
        while True:
            match = _SPACE.match(self.text, self.position)
            assert match is not None, "the pattern matches the empty text"
            self.position = match.end()
            if self.position < len(self.text):
                return self.text[self.position]
            if self._ended:
                return ""
            self._read(READ_BYTES)

    def expect(self, chars: str) -> str:
        """Take the next character, which must be one of `chars`; raise ExportUnusable if not."""
        char = self.next_char()
        if not char:
            raise self.cut_short()
        if char not in chars:
            raise self._invalid()
        self.position += 1
        return char

    def value(self) -> Any:
        """Take the next JSON value; raise ExportUnusable when it is cut, invalid or too large.

        After an ImpossibleNumber one can go on behind the value.
        """
        if not self.next_char():
            raise self.cut_short()
        size = READ_BYTES
        read_by = decode
        while True:
            try:
                value, end = read_by(self.text, self.position)
            except json.JSONDecodeError as fault:
                if not _may_go_on(fault, self.text):
                    self.position = fault.pos
                    raise self._invalid() from None
            except RecursionError:
                raise ExportUnusable(
                    f"The export is nested too deeply {self.place()}; "
                    "no exporter writes such a document, export it again."
                ) from None
            except ValueError:
                read_by = _decode_any_number
                continue
            else:
                if self._ended or not self._goes_on(value, end):
                    place = self.place()
                    self.position = end
                    if read_by is _decode_any_number:
                        raise ImpossibleNumber(
                            f"The export holds a number beyond any meaning {place}; "
                            "export it again."
                        )
                    return value
            if self._ended:
                raise self.cut_short()
            if len(self.text) - self.position > self._max_value_chars:
                raise ExportUnusable(
                    f"The export holds a single value of more than {self._max_value_chars:,} "
                    f"characters {self.place()}; export it again."
                )
            self._read(size)
            # Twice as much each time: a long value is scanned over again few times, not once
            # for every READ_BYTES of it.
            size = min(size * 2, max(self._max_value_chars // 4, READ_BYTES))

    def refill(self) -> bool:
        """Read on where less than READ_BYTES of text are left; return whether there is more now."""
        if self._ended or len(self.text) - self.position >= READ_BYTES:
            return False
        self._read(READ_BYTES)
        return True

    def place(self) -> str:
        """Say where in the document the stream stands."""
        return f"at character {self._chars_before + self.position + 1:,}"

    def cut_short(self) -> ExportUnusable:
        """Return the error for a document that ends where more must follow."""
        return ExportUnusable(
            self._fault_at_end
            or "The export is cut short: it ends before it is complete; "
            "export it again, or copy the whole file."
        )

    def end(self) -> None:
        """Raise ExportUnusable unless nothing but white space is left."""
        if self.next_char() or self._fault_at_end:
            raise ExportUnusable(
                f"Something follows after the end of the export {self.place()}; "
                "the file is damaged or several were joined, import them one by one."
            )

    def is_empty(self) -> bool:
        """Tell whether the whole document was nothing but white space."""
        return self._ended and not self._fault_at_end and self.position == len(self.text)

    def _goes_on(self, value: Any, end: int) -> bool:
        """Whether `value` is a number whose text, up to `end`, may have more in the next buffer."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return False
        return _NUMBER_GOES_ON.fullmatch(self.text, end) is not None

    def _invalid(self) -> ExportUnusable:
        return ExportUnusable(f"The export is not valid JSON {self.place()}; export it again.")

    def _read(self, size: int) -> None:
        """Drop what was taken and append about `size` bytes of text, or note the end."""
        pieces = []
        missing = size
        # A pipe may give less than asked for; only nothing at all is the end.
        while missing > 0 and (piece := self._stream.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        self._ended = missing > 0
        self.beginning = self.beginning or b"".join(pieces)[:_BEGINNING_BYTES]
        try:
            text = self._decoder.decode(b"".join(pieces), final=self._ended)
        except UnicodeDecodeError as fault:
            # The text before the fault is good, and so are the messages in it.
            text = fault.object[: fault.start].decode()
            if not (self._ended and fault.reason == "unexpected end of data"):
                self._fault_at_end = (
                    "The export is not UTF-8 text: it is damaged, compressed, or was saved in "
                    "another encoding; use the file as the exporter wrote it."
                )
            self._ended = True
        if not self._chars_before and not self.text:
            text = text.removeprefix("\ufeff")
        self.text = self.text[self.position :] + text
        self._chars_before += self.position
        self.position = 0

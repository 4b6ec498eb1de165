"""Messages in time order by key: where one stands, what comes after it, and all of them in pieces.

No cursor is held between two pieces, which would keep PostgreSQL's rows or SQLite's log from being
cleaned while a slow reader takes his time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import F, Func, IntegerField, Q

from messages_app.models import Message, MessageQuerySet

# Of the exported JSON, which is what a row's size is about. Parsed, it takes ten times as much.
PIECE_BYTES = 1024 * 1024
KEYS_AT_ONCE = 500
# SQLite reads an object to tell its size, so that few are sized at once where few may fit.
FEW_KEYS = 128
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Key(NamedTuple):
    """Where a message stands in time order."""

    timestamp: datetime
    discord_id: int

    @classmethod
    def of(cls, message: Message) -> Key:
        return cls(message.timestamp, message.discord_id)

    @classmethod
    def at(cls, instant: datetime) -> Key:
        """The place just before the first message of that instant."""
        return cls(instant, -1)

    @classmethod
    def parsed(cls, text: str) -> Key | None:
        """Given what `str` made of a key, return the key, or None for anything else."""
        micros, _, discord_id = text.partition("-")
        if not (micros.isascii() and micros.isdigit() and discord_id.isascii()):
            return None
        if not discord_id.isdigit() or len(discord_id) > 19 or len(micros) > 17:
            return None
        return cls(_EPOCH + timedelta(microseconds=int(micros)), int(discord_id))

    def __str__(self) -> str:
        return f"{(self.timestamp - _EPOCH) // timedelta(microseconds=1)}-{self.discord_id}"


def after(messages: MessageQuerySet, key: Key) -> MessageQuerySet:
    """The messages later than `key`, in time order.

    The bare bound on the time is what lets the database start inside its index.
    """
    later = Q(timestamp__gt=key.timestamp) | Q(discord_id__gt=key.discord_id)
    return messages.filter(later, timestamp__gte=key.timestamp).in_time_order()


def in_pieces(messages: MessageQuerySet, key: Key | None = None) -> Iterator[list[Message]]:
    """Given messages, yield those after `key`, or all, in time order in lists that fit in memory.

    A list holds PIECE_BYTES of exported JSON at most, or one message that is larger.
    """
    while True:
        later = after(messages, key) if key else messages.in_time_order()
        ahead = _sized(later, KEYS_AT_ONCE)
        piece: list[int] = []
        room = PIECE_BYTES
        for _, discord_id, size in ahead:
            if piece and size > room:
                yield _rows(messages, piece)
                piece, room = [], PIECE_BYTES
            piece.append(discord_id)
            room -= size
        if piece:
            yield _rows(messages, piece)
        if len(ahead) < KEYS_AT_ONCE:
            return
        key = Key(*ahead[-1][:2])


def piece_after(
    messages: MessageQuerySet, key: Key, most: int, most_bytes: int
) -> tuple[list[Message], bool]:
    """Given messages, return the next ones after `key`, and whether others follow.

    They are `most` at most and hold so many bytes of exported JSON at most, or one that is larger.
    """
    piece: list[int] = []
    room = most_bytes
    at_once = min(most + 1, FEW_KEYS)
    while True:
        ahead = _sized(after(messages, key), at_once)
        for timestamp, discord_id, size in ahead:
            room -= size
            if piece and (len(piece) == most or room < 0):
                return _rows(messages, piece), True
            piece.append(discord_id)
            key = Key(timestamp, discord_id)
        if len(ahead) < at_once:
            return _rows(messages, piece), False


def in_pages(messages: MessageQuerySet, size: int) -> Iterator[list[Message]]:
    """Given messages without their objects, yield all in time order in lists of `size`."""
    later = messages.in_time_order()
    while rows := list(later[:size]):
        yield rows
        later = after(messages, Key.of(rows[-1]))


def _sized(messages: MessageQuerySet, most: int) -> list[tuple[datetime, int, int]]:
    """The keys of the first messages, and the sizes of their objects."""
    sized = messages.annotate(size=Bytes(F("raw")))
    return list(sized.values_list("timestamp", "discord_id", "size")[:most])


def _rows(messages: MessageQuerySet, ids: list[int]) -> list[Message]:
    return list(messages.filter(discord_id__in=ids).in_time_order())


class Bytes(Func):
    """The size of a text: in bytes, or in characters where those cost SQLite less to count."""

    function = "LENGTH"
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # It need not unpack what is stored compressed and apart.
        return super().as_sql(compiler, connection, function="OCTET_LENGTH", **context)

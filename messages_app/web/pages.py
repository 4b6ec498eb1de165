"""Keyset pages: a page of messages after, before or around a key, at a cost that never grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db.models import Q

from messages_app.models import Message, MessageQuerySet

PAGE_SIZE = 100
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


@dataclass(frozen=True)
class Page:
    """Messages in time order, and whether there are others on either side."""

    messages: Sequence[Message]
    has_earlier: bool
    has_later: bool


def page_after(messages: MessageQuerySet, key: Key, size: int = PAGE_SIZE) -> Page:
    found = list(after(messages, key)[: size + 1])
    return Page(found[:size], _up_to(messages, key).exists(), len(found) > size)


def page_before(messages: MessageQuerySet, key: Key, size: int = PAGE_SIZE) -> Page:
    found = list(_before(messages, key)[: size + 1])
    return Page(found[:size][::-1], len(found) > size, _from(messages, key).exists())


def first_page(messages: MessageQuerySet, size: int = PAGE_SIZE) -> Page:
    found = list(messages.in_time_order()[: size + 1])
    return Page(found[:size], False, len(found) > size)


def newest_page(messages: MessageQuerySet, size: int = PAGE_SIZE) -> Page:
    found = list(messages.order_by("-timestamp", "-discord_id")[: size + 1])
    return Page(found[:size][::-1], len(found) > size, False)


def page_around(messages: MessageQuerySet, key: Key, size: int = PAGE_SIZE) -> Page:
    """The page with the message at `key` in its middle."""
    half = size // 2
    earlier = list(_before(messages, key)[: half + 1])
    later = list(_from(messages, key)[: half + 1])
    return Page(
        [*earlier[:half][::-1], *later[:half]],
        len(earlier) > half,
        len(later) > half,
    )


def after(messages: MessageQuerySet, key: Key) -> MessageQuerySet:
    """The messages later than `key`, in time order.

    The bare bound on the time is what lets the database start inside its index.
    """
    later = Q(timestamp__gt=key.timestamp) | Q(discord_id__gt=key.discord_id)
    return messages.filter(later, timestamp__gte=key.timestamp).in_time_order()


def _from(messages: MessageQuerySet, key: Key) -> MessageQuerySet:
    return after(messages, key._replace(discord_id=key.discord_id - 1))


def _before(messages: MessageQuerySet, key: Key) -> MessageQuerySet:
    earlier = Q(timestamp__lt=key.timestamp) | Q(discord_id__lt=key.discord_id)
    found = messages.filter(earlier, timestamp__lte=key.timestamp)
    return found.order_by("-timestamp", "-discord_id")


def _up_to(messages: MessageQuerySet, key: Key) -> MessageQuerySet:
    return _before(messages, key._replace(discord_id=key.discord_id + 1))

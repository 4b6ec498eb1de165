"""Keyset pages: a page of messages after, before or around a key, at a cost that never grows.

It ends at 100 messages or at what they may weigh together, whichever comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import F, Q

from messages_app.keyset import Bytes, Key, after
from messages_app.models import Message, MessageQuerySet
from messages_app.web.rendering.bounds import fitting

PAGE_SIZE = 100
# Of texts, which can be as long as a file in messages that were imported from one.
MOST_TEXT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Page:
    """Messages in time order, and whether there are others on either side.

    `anchor` is the place among them that was asked for, which stays if not all can be shown.
    """

    messages: Sequence[Message]
    has_earlier: bool
    has_later: bool
    anchor: int = 0

    def cut(self, part: slice) -> Page:
        """The page with a part of its messages only."""
        return Page(
            self.messages[part],
            self.has_earlier or part.start > 0,
            self.has_later or part.stop < len(self.messages),
            self.anchor - part.start,
        )


class _Rows(NamedTuple):
    """Ids and sizes of messages, the nearest one first, and whether there are more."""

    ids: list[int]
    sizes: list[int]
    more: bool


def first_rows(messages: MessageQuerySet, most: int) -> tuple[list[Message], bool]:
    """The first of `messages`, at most so many and what fits, and whether there are more."""
    page = _page(_Rows([], [], False), _rows(messages, most))
    return list(page.messages), page.has_later


def page_after(messages: MessageQuerySet, key: Key, size: int = PAGE_SIZE) -> Page:
    return _page(_beside(_up_to(messages, key)), _rows(after(messages, key), size))


def page_before(messages: MessageQuerySet, key: Key, size: int = PAGE_SIZE) -> Page:
    return _page(_rows(_before(messages, key), size), _beside(_from(messages, key)))


def first_page(messages: MessageQuerySet, size: int = PAGE_SIZE) -> Page:
    return _page(_Rows([], [], False), _rows(messages.in_time_order(), size))


def newest_page(messages: MessageQuerySet, size: int = PAGE_SIZE) -> Page:
    newest_first = messages.order_by("-timestamp", "-discord_id")
    return _page(_rows(newest_first, size), _Rows([], [], False))


def page_around(messages: MessageQuerySet, key: Key, size: int = PAGE_SIZE) -> Page:
    """The page with the message at `key` in its middle."""
    half = size // 2
    return _page(_rows(_before(messages, key), half), _rows(_from(messages, key), half))


def _page(earlier: _Rows, later: _Rows) -> Page:
    anchor = len(earlier.ids)
    ids = [*reversed(earlier.ids), *later.ids]
    sizes = [*reversed(earlier.sizes), *later.sizes]
    part = fitting(sizes, MOST_TEXT_BYTES, anchor)
    found = Message.objects.without_raw().in_bulk(ids[part])
    # One that was removed since is left out; the anchor, then, is the next best.
    rows = [found[pk] for pk in ids[part] if pk in found]
    return Page(
        rows,
        earlier.more or part.start > 0,
        later.more or part.stop < len(ids),
        min(anchor - part.start, len(rows)),
    )


def _rows(messages: MessageQuerySet, most: int) -> _Rows:
    found = list(
        messages.annotate(size=Bytes(F("content"))).values_list("discord_id", "size")[: most + 1]
    )
    return _Rows(
        [pk for pk, _ in found[:most]], [size for _, size in found[:most]], len(found) > most
    )


def _beside(messages: MessageQuerySet) -> _Rows:
    """None of them, but whether there are any."""
    return _Rows([], [], messages.exists())


def _from(messages: MessageQuerySet, key: Key) -> MessageQuerySet:
    return after(messages, key._replace(discord_id=key.discord_id - 1))


def _before(messages: MessageQuerySet, key: Key) -> MessageQuerySet:
    earlier = Q(timestamp__lt=key.timestamp) | Q(discord_id__lt=key.discord_id)
    found = messages.filter(earlier, timestamp__lte=key.timestamp)
    return found.order_by("-timestamp", "-discord_id")


def _up_to(messages: MessageQuerySet, key: Key) -> MessageQuerySet:
    return _before(messages, key._replace(discord_id=key.discord_id + 1))

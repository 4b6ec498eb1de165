"""How much of messages one answer shows: what a crafted text may cost in bytes and in work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Bytes of HTML; with the frame around the messages a page stays below 1.5 MB.
PAGE_BYTES = 1_400_000
# Former texts that stand below a message; the others are on its own page.
MOST_FORMER = 3

# Where the parser stops to look; each costs it up to 10 microseconds, and an address more.
_MARK = re.compile(r"://|[\n\\*_~|`<\[\]:@!>#-]")
MARKS_OF_A_LINK = 20


@dataclass(frozen=True)
class Bounds:
    """Bytes of HTML that a message, its text and a former text of it may have, and marks in them.

    A text that passes its bound is shown by its beginning, as typed.
    """

    message: int
    text: int
    former: int
    marks: int


# A text of 4,000 Chinese characters, the most that Discord takes, is shown whole.
AMONG_OTHERS = Bounds(message=40_000, text=16_000, former=8_000, marks=1_500)
BY_ITSELF = Bounds(message=PAGE_BYTES, text=PAGE_BYTES, former=60_000, marks=30_000)
# In a file, which is written in pieces and never cut.
WITHOUT_END = Bounds(*[1 << 62] * 4)


def bytes_of(html: str) -> int:
    return len(html.encode(errors="replace"))


def marks_in(text: str, most: int) -> int:
    """How many marks stand in the text; more than `most` are not told apart."""
    count = 0
    for mark in _MARK.finditer(text):
        count += MARKS_OF_A_LINK if mark[0] == "://" else 1
        if count > most:
            break
    return count


def fitting(sizes: Sequence[int], most: int, anchor: int = 0) -> slice:
    """Given sizes in a row, return which fit into `most` around the place `anchor`.

    At least one fits. What is nearest to the anchor comes first, in turn after and before it.
    """
    start = end = anchor
    total = 0
    goes_on = {1: True, -1: True}
    while any(goes_on.values()):
        for side in goes_on:
            place = end if side > 0 else start - 1
            goes_on[side] = (
                goes_on[side]
                and 0 <= place < len(sizes)
                and (start == end or total + sizes[place] <= most)
            )
            if goes_on[side]:
                total += sizes[place]
                start, end = min(start, place), max(end, place + 1)
    return slice(start, end)

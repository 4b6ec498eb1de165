"""A message's texts as HTML, within the bounds of what a page shows of one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.safestring import SafeString, mark_safe

from messages_app.web.rendering.bounds import bytes_of, marks_in
from messages_app.web.rendering.markdown import Names, Setting, as_typed, to_html

# Characters of a text that is too long to be shown whole.
BEGINNING = 1_000


@dataclass(frozen=True)
class FormerText:
    """An earlier text of a message as it is stored, or the beginning of a very long one."""

    content: str
    replaced_at: datetime


@dataclass(frozen=True)
class FormerTexts:
    """The newest of a message's former texts in time order, and how many there are in all."""

    newest: Sequence[FormerText] = ()
    count: int = 0


@dataclass(frozen=True)
class Former:
    """An earlier text of a message as a page shows it."""

    html: SafeString
    replaced: str


class Texts:
    """Renders the texts of one message; `is_cut` tells afterwards whether one was too long."""

    def __init__(self, names: Names, setting: Setting) -> None:
        self.is_cut = False
        self._names = names
        self._setting = setting
        self._marks_left = setting.bounds.marks

    def html(self, text: str) -> SafeString:
        return self._within(self._setting.bounds.text, text)

    def former(self, text: FormerText) -> Former:
        replaced = self._setting.clock.full(text.replaced_at)
        return Former(self._within(self._setting.bounds.former, text.content), replaced)

    def _within(self, most_bytes: int, text: str) -> SafeString:
        marks = marks_in(text, self._marks_left)
        is_plain = marks > self._marks_left
        if not is_plain:
            self._marks_left -= marks
        html = as_typed(text) if is_plain else to_html(text, self._names, self._setting)
        if bytes_of(html) > most_bytes:
            html = as_typed(text[:BEGINNING] + "…")
            is_plain = True
        self.is_cut |= is_plain
        return mark_safe(html)  # noqa: S308 - escaped by both

"""The filters of a session's messages, as the query string tells them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.db.models import Q
from django.http import QueryDict

from messages_app.database.search import matching, terms
from messages_app.models import MessageQuerySet
from messages_app.snowflakes import LARGEST_ID, id_in
from messages_app.windows import Window

# A question mark that ends a word, of any script; one inside an address is none.
# ruff: noqa: RUF001 - that the marks look alike is the point
# Every place is looked at once: after a mark come marks of other kinds only.
QUESTION = r"[?？؟][\"'»”’)\]!|*_~]*(\s|$)"
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Filters:
    author: str = ""
    text: str = ""
    channel: int | None = None
    attachments: bool = False
    questions: bool = False

    @classmethod
    def of(cls, query: QueryDict) -> Filters:
        """What the query string asks for; what makes no sense is left out."""
        channel = query.get("channel", "")
        return cls(
            author=query.get("author", "").replace("\0", "").strip()[:LONGEST_TEXT],
            text=query.get("text", "").replace("\0", "").strip()[:LONGEST_TEXT],
            channel=int(channel) if channel.isascii() and channel.isdigit() else None,
            attachments="attachments" in query,
            questions="questions" in query,
        )

    def __bool__(self) -> bool:
        return self != Filters()

    @property
    def query(self) -> str:
        """The same as a query string, without a question mark."""
        return urlencode(
            {
                key: value
                for key, value in {
                    "text": self.text,
                    "author": self.author,
                    "channel": self.channel or "",
                    "attachments": "on" if self.attachments else "",
                    "questions": "on" if self.questions else "",
                }.items()
                if value
            }
        )

    @property
    def has_no_word(self) -> bool:
        """Whether the text to search for holds nothing that could be searched."""
        return bool(self.text) and not terms(self.text)

    def applied(
        self, messages: MessageQuerySet, span: Window, *, hides_deleted: bool = False
    ) -> MessageQuerySet:
        """Those of `messages`, all within `span`, that pass.

        From whom deleted messages are hidden, they are also not found by what they said.
        """
        if hides_deleted and replace(self, channel=None):
            messages = messages.shown()
        if self.text:
            messages = matching(messages, self.text, span)
        if author_id := id_in(self.author):
            messages = messages.filter(
                Q(author_id=author_id) | Q(author_name__icontains=self.author)
            )
        elif self.author:
            messages = messages.filter(author_name__icontains=self.author.removeprefix("@"))
        if self.channel is not None:
            messages = messages.filter(channel_id=min(self.channel, LARGEST_ID))
        if self.attachments:
            messages = messages.filter(has_attachments=True)
        if self.questions:
            messages = messages.filter(content__regex=QUESTION)
        return messages

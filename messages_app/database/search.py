"""Full-text search over messages, indexed on both engines: words, "phrases", the last one open.

SQLite keeps an FTS5 index beside the table, PostgreSQL indexes an expression. The index holds words
as they are typed, without stemming, since a chat speaks many languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from django.db import connection
from django.db.models.expressions import RawSQL

from messages_app.models import MessageQuerySet
from messages_app.windows import Window

DISCORD_EPOCH_MS = 1_420_070_400_000
MOST_TERMS = 12

_TERM = re.compile(r'"([^"]*)"?|(\S+)')


def terms(text: str) -> list[str]:
    """The words and quoted phrases of what was typed, without those that hold no word."""
    found = (phrase or word for phrase, word in _TERM.findall(text.replace("\0", " ")))
    return [term for term in found if any(letter.isalnum() for letter in term)][:MOST_TERMS]


def index_new(texts: Iterable[tuple[int, str]]) -> None:
    """Make messages that were just inserted findable; in the transaction that stored them.

    Given their ids and texts. PostgreSQL does it by itself, and on SQLite one statement for a
    batch costs an eighth of what a trigger for each row would.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO messages_app_search (rowid, content) VALUES (%s, %s)",
            [(discord_id, text) for discord_id, text in texts if text],
        )


def matching(messages: MessageQuerySet, text: str, span: Window) -> MessageQuerySet:
    """Those of `messages` that hold every term of `text`; none where it has no term.

    All of them must lie in `span`: a message's id holds its time, and the bounds keep the search
    from reading the hits of other sessions.
    """
    wanted = terms(text)
    if not wanted:
        return messages.none()
    is_open = not text.rstrip().endswith('"')
    bounds = [_first_id(span.start), _first_id(span.end)]
    if connection.vendor == "postgresql":
        # OFFSET 0 keeps the planner from walking the messages in time order until enough match.
        statement = (
            "SELECT discord_id FROM messages_app_message"
            " WHERE to_tsvector('simple', left(content, 100000)) @@ to_tsquery('simple', %s)"
            " AND discord_id >= %s AND discord_id < %s OFFSET 0"
        )
        hits = RawSQL(statement, [_tsquery(wanted, is_open), *bounds])  # noqa: S611 - no text in it
    else:
        statement = (
            "SELECT rowid FROM messages_app_search WHERE messages_app_search MATCH %s"
            " AND rowid >= %s AND rowid < %s"
        )
        hits = RawSQL(statement, [_fts5_query(wanted, is_open), *bounds])  # noqa: S611
    return messages.filter(discord_id__in=hits)


def _fts5_query(wanted: list[str], is_open: bool) -> str:
    quoted = [f'"{term}"' for term in (term.replace('"', "") for term in wanted)]
    return " AND ".join(quoted) + ("*" if is_open else "")


def _tsquery(wanted: list[str], is_open: bool) -> str:
    quoted = ["'" + term.replace("\\", "\\\\").replace("'", "''") + "'" for term in wanted]
    return " & ".join(quoted) + (":*" if is_open else "")


def _first_id(instant: datetime) -> int:
    """The least Discord id that a message of `instant` or later can have."""
    return max(int(instant.timestamp() * 1000) - DISCORD_EPOCH_MS, 0) << 22

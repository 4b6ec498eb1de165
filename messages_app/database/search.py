"""Full-text search over messages, indexed on both engines: words, "phrases", the last one open.

What is searched are the words of the messages' forms, without stemming, since a chat speaks many
languages. Where a former release stored messages, its search of the texts alone answers until they
all have their forms; then the filler removes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.db import connection
from django.db.models.expressions import RawSQL

from messages_app.document.words import phrase_of
from messages_app.models import MessageQuerySet
from messages_app.snowflakes import first_id
from messages_app.windows import Window

MOST_TERMS = 12

_TERM = re.compile(r'"([^"]*)"?|(\S+)')


# The words of a term, which follow one another, and whether the last one goes on.
_Phrase = tuple[list[str], bool]


def terms(text: str) -> list[str]:
    """The words and quoted phrases of what was typed, without those that hold no word."""
    found = (phrase or word for phrase, word in _TERM.findall(text.replace("\0", " ")))
    return [term for term in found if phrase_of(term)[0]][:MOST_TERMS]


def has_former_search() -> bool:
    """Whether the search of the former release is still there, for not all messages have forms."""
    question = (
        "SELECT 1 WHERE to_regclass('messages_app_search') IS NOT NULL"
        if connection.vendor == "postgresql"
        else "SELECT 1 FROM sqlite_master WHERE name = 'messages_app_search'"
    )
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone() is not None


def index_new(texts: Iterable[tuple[int, str]]) -> None:
    """Make messages that were just inserted known to the former search, where that is still asked.

    Given their ids and texts. PostgreSQL does it by itself, and on SQLite one statement for a
    batch costs an eighth of what a trigger for each row would.
    """
    if connection.vendor != "sqlite" or not has_former_search():
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
    bounds = [first_id(span.start), first_id(span.end)]
    if has_former_search():
        return messages.filter(discord_id__in=_former_hits(wanted, is_open, bounds))
    phrases = [phrase_of(term) for term in wanted[:-1]]
    phrases.append(phrase_of(wanted[-1], is_open=is_open))
    return messages.filter(discord_id__in=_hits(phrases, bounds))


def _hits(phrases: list[_Phrase], bounds: list[int]) -> RawSQL:
    """The ids of the messages that hold all of the phrases."""
    if connection.vendor == "postgresql":
        # OFFSET 0 keeps the planner from walking the messages in time order until enough match.
        statement = (
            "SELECT discord_id FROM messages_app_form WHERE search_text @@ %s::tsquery"
            " AND discord_id >= %s AND discord_id < %s OFFSET 0"
        )
        query = " & ".join(
            "(" + " <-> ".join(f"'{word}'" for word in words) + (":*)" if goes_on else ")")
            for words, goes_on in phrases
        )
    else:
        statement = (
            "SELECT rowid FROM messages_app_form_search WHERE messages_app_form_search MATCH %s"
            " AND rowid >= %s AND rowid < %s"
        )
        query = " AND ".join(
            f'"{" ".join(words)}"' + ("*" if goes_on else "") for words, goes_on in phrases
        )
        query = f"search_text : ({query})"
    return RawSQL(statement, [query, *bounds])  # noqa: S611 - no text in it


def _former_hits(wanted: list[str], is_open: bool, bounds: list[int]) -> RawSQL:
    """The same by the former search, which knows letters and digits only."""
    known = [term for term in wanted if any(letter.isalnum() for letter in term)]
    if connection.vendor == "postgresql":
        statement = (
            "SELECT discord_id FROM messages_app_message"
            " WHERE to_tsvector('simple', left(content, 100000)) @@ to_tsquery('simple', %s)"
            " AND discord_id >= %s AND discord_id < %s OFFSET 0"
        )
        query = _tsquery(known, is_open)
    else:
        statement = (
            "SELECT rowid FROM messages_app_search WHERE messages_app_search MATCH %s"
            " AND rowid >= %s AND rowid < %s"
        )
        query = _fts5_query(known, is_open) or '""'
    return RawSQL(statement, [query, *bounds])  # noqa: S611


def _fts5_query(wanted: list[str], is_open: bool) -> str:
    quoted = [f'"{term}"' for term in (term.replace('"', "") for term in wanted)]
    return " AND ".join(quoted) + ("*" if is_open else "")


def _tsquery(wanted: list[str], is_open: bool) -> str:
    quoted = ["'" + term.replace("\\", "\\\\").replace("'", "''") + "'" for term in wanted]
    return " & ".join(quoted) + (":*" if is_open else "")

"""Fills the table of messages: `python -m bench.fill MESSAGES`, in the environment of a poller."""

from __future__ import annotations

import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "config.lean"

import django

django.setup()

from django.db import connection

from messages_app.database import forms
from messages_app.document.form import ALL, BLOCKS, FORM_VERSION, FormSource, block_term, form_of
from messages_app.models import Channel
from messages_app.snowflakes import LOW_BITS
from tests.large_exports import CHANNEL_ID

# Older messages, one a second, with a text each, and their forms, so that the search index grows
# with the table.
FILL = """
INSERT INTO messages_app_message (discord_id, channel_id, type, timestamp, author_name, content,
    has_attachments, fingerprint, changed_at, raw)
"""
FILL_SQLITE = f"""
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)
{FILL} SELECT 1000000000000000000 + n * 4096, {CHANNEL_ID}, 'Default',
    datetime(1700000000 + n, 'unixepoch'), 'name', 'word' || n %% 5000, 0, n,
    '2026-01-01 00:00:00', '{{}}' FROM numbers
"""
FORMS = f"""
INSERT INTO messages_app_form ({", ".join(forms.COLUMNS)})
    SELECT discord_id, {FORM_VERSION}, fingerprint, %s, %s, %s, {{words}}, {{terms}}, %s
    FROM messages_app_message ORDER BY discord_id
"""
FORMS_SQLITE = FORMS.format(words="content", terms=f"'{ALL}'")
INDEX_SQLITE = """
INSERT INTO messages_app_form_search (rowid, search_text, terms)
    SELECT discord_id, search_text, terms FROM messages_app_form ORDER BY discord_id
"""
BLOCK_TERMS = ", ".join(
    f"'{block_term(0, block).removesuffix('0')}' || (discord_id >> {LOW_BITS + block})"
    for block in BLOCKS
)
FORMS_POSTGRESQL = FORMS.format(
    words=f"array_to_tsvector(ARRAY[content, '{ALL}', {BLOCK_TERMS}])", terms="NULL"
)
FILL_POSTGRESQL = f"""
{FILL} SELECT 1000000000000000000 + n * 4096, {CHANNEL_ID}, 'Default',
    to_timestamp(1700000000 + n), 'name', 'word' || n %% 5000, false, n,
    '2026-01-01 00:00:00+00', '{{}}' FROM generate_series(1::bigint, %s) AS n
"""


def fill(count: int) -> None:
    Channel.objects.create(pk=CHANNEL_ID)
    form = form_of(FormSource(0, CHANNEL_ID, None, None, False, 0, "{}"))
    alike: list[int | str] = [
        form.said_fingerprint,
        form.reacted_fingerprint,
        form.known,
        form.shown,
    ]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(FILL_POSTGRESQL, [count])
            cursor.execute(FORMS_POSTGRESQL, alike)
            cursor.execute("VACUUM ANALYZE messages_app_message, messages_app_form")
            return
        cursor.execute(FILL_SQLITE, [count])
        cursor.execute(FORMS_SQLITE, alike)
        cursor.execute(INDEX_SQLITE)
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    fill(int(sys.argv[1]))

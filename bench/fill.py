"""Fills the table of messages: `python -m bench.fill MESSAGES`, in the environment of a poller."""

from __future__ import annotations

import os
import sys

os.environ["DJANGO_SETTINGS_MODULE"] = "config.lean"

import django

django.setup()

from django.db import connection

from bench.documents import CHANNEL_ID
from messages_app.models import Channel

# Older messages, one a second, with a text each, so that the search index grows with the table.
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
INDEX_SQLITE = """
INSERT INTO messages_app_search (rowid, content)
    SELECT discord_id, content FROM messages_app_message ORDER BY discord_id
"""
FILL_POSTGRESQL = f"""
{FILL} SELECT 1000000000000000000 + n * 4096, {CHANNEL_ID}, 'Default',
    to_timestamp(1700000000 + n), 'name', 'word' || n %% 5000, false, n,
    '2026-01-01 00:00:00+00', '{{}}' FROM generate_series(1::bigint, %s) AS n
"""


def fill(count: int) -> None:
    Channel.objects.create(pk=CHANNEL_ID)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(FILL_POSTGRESQL, [count])
            cursor.execute("VACUUM ANALYZE messages_app_message")
            return
        cursor.execute(FILL_SQLITE, [count])
        cursor.execute(INDEX_SQLITE)
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


if __name__ == "__main__":
    fill(int(sys.argv[1]))

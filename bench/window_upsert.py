"""Fills a table and prints how many milliseconds of CPU the upsert of a window of 200 takes in it.

Run as `python -m bench.window_upsert MESSAGES`, in the environment of a poller.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import time
from datetime import UTC, datetime

os.environ["DJANGO_SETTINGS_MODULE"] = "config.lean"

import django

django.setup()

from django.db import connection, transaction

from bench.documents import CHANNEL_ID, write_to
from messages_app.export_file import ExportReader
from messages_app.models import Channel, Message
from messages_app.store import Observation, in_batches, store_batch

WINDOW = 200
WINDOWS = 60

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


def window_ms(number: int) -> float:
    """Store 200 messages, half of which the last window stored already."""
    text = io.StringIO()
    write_to(text, WINDOW, first=number * WINDOW // 2)
    (batch,) = in_batches(ExportReader(io.BytesIO(text.getvalue().encode())))
    started = time.process_time()
    with transaction.atomic():
        store_batch(batch, CHANNEL_ID, Observation(datetime.now(UTC)))
    return (time.process_time() - started) * 1000


def main(count: int) -> None:
    fill(count)
    known = Message.objects.count()
    windows = [window_ms(number) for number in range(WINDOWS)]
    assert Message.objects.count() == known + (WINDOWS + 1) * WINDOW // 2
    print(statistics.median(windows[5:]))


if __name__ == "__main__":
    main(int(sys.argv[1]))

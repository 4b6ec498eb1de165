"""Prints how many milliseconds the upsert of a window of 200 messages takes, as it follows others.

Run as `python -m bench.window_upsert ROUND`, in the environment of a poller; each round goes on
where the one before it ended. On SQLite that is CPU, on PostgreSQL the time that passes, since the
work is the server's.
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

from messages_app.database.store import store_batch
from messages_app.document.parts import in_batches
from messages_app.document.reader import ExportReader
from messages_app.document.rows import rows_of
from tests.large_exports import CHANNEL_ID, write_to

WINDOW = 200
WINDOWS = 25
WARM_UP = 5


def window_ms(number: int) -> float:
    """Store 200 messages, half of which the last window stored already."""
    text = io.StringIO()
    write_to(text, WINDOW, first=number * WINDOW // 2)
    (batch,) = in_batches(ExportReader(io.BytesIO(text.getvalue().encode())))
    clock = time.process_time if connection.vendor == "sqlite" else time.perf_counter
    started = clock()
    with transaction.atomic():
        tally = store_batch(rows_of(batch, CHANNEL_ID, datetime.now(UTC)))
    milliseconds = (clock() - started) * 1000
    assert tally.new == (WINDOW // 2 if number else WINDOW)
    return milliseconds


def main(round_: int) -> None:
    windows = [window_ms(number) for number in range(round_ * WINDOWS, (round_ + 1) * WINDOWS)]
    print(statistics.median(windows[WARM_UP:]))


if __name__ == "__main__":
    main(int(sys.argv[1]))

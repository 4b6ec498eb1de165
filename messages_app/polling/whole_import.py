"""Imports what `export_messages --raw` wrote, whatever is stored already."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from messages_app.database.bounded import bounded_transaction
from messages_app.database.whole import store_wholes
from messages_app.document.json_stream import MAX_VALUE_CHARS
from messages_app.document.message import MessageError
from messages_app.document.parts import BATCH_CHARS, BATCH_SIZE, unreadable
from messages_app.document.rows import MessageRow
from messages_app.document.whole import Whole, from_line
from messages_app.errors import ExportUnusable
from messages_app.polling.file_import import FileOutcome, span_of
from messages_app.tally import Tally
from messages_app.windows import Window

# A character of the largest message takes four bytes at most, or an escape.
MOST_LINE_BYTES = 8 * MAX_VALUE_CHARS
# How many lines that are left out are named.
MOST_NAMED = 5


def import_whole(stream: BinaryIO, stored: Callable[[Tally], None]) -> FileOutcome:
    """Store the messages of the lines; after each transaction `stored` is told the tally so far.

    A line that is none costs itself alone and is named; where the first one is none, so is the
    file.
    """
    lines = _Lines(stream)
    tally = Tally()
    spans: dict[int, Window] = {}
    for batch in lines.batches():
        with bounded_transaction():
            tally = tally.plus(store_wholes(batch))
        stored(tally)
        _widen(spans, batch)
    return FileOutcome(tally, spans, failure=lines.failure())


def _widen(spans: dict[int, Window], batch: list[Whole]) -> None:
    for whole in batch:
        row = MessageRow._make(whole.row)
        if span := span_of(row.timestamp, row.timestamp):
            known = spans.get(row.channel_id, span)
            spans[row.channel_id] = known.around(span)


class _Lines:
    """The messages of a file, and what is wrong with it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left_out: list[str] = []
        self._left_out_count = 0
        self._failure: ExportUnusable | None = None

    def batches(self) -> Iterator[list[Whole]]:
        """Yield the messages in batches without repeated ids, as far as the file can be read."""
        batch: dict[int, Whole] = {}
        chars = 0
        for whole in self._wholes():
            discord_id, size = whole.row[0], len(MessageRow._make(whole.row).raw)
            if discord_id in batch or len(batch) == BATCH_SIZE or chars + size > BATCH_CHARS:
                yield list(batch.values())
                batch.clear()
                chars = 0
            batch[discord_id] = whole
            chars += size
        if batch:
            yield list(batch.values())

    def failure(self) -> ExportUnusable | None:
        """What kept the file, or some of it, from being imported."""
        if self._failure or not self._left_out:
            return self._failure
        unnamed = self._left_out_count - len(self._left_out)
        more = f" and {unnamed:,} more" if unnamed else ""
        return ExportUnusable(
            f"Left out: {'; '.join(self._left_out)}{more}. All others are imported."
        )

    def _wholes(self) -> Iterator[Whole]:
        number = 0
        try:
            while line := self._stream.readline(MOST_LINE_BYTES):
                number += 1
                if not line.strip():
                    continue
                try:
                    yield from_line(line)
                except MessageError as error:
                    if number == 1:
                        self._failure = ExportUnusable(
                            f"The first line {error}: without --raw, exports of "
                            "DiscordChatExporter are imported."
                        )
                        return
                    self._leave_out(f"line {number:,} {error}")
        except OSError as error:
            self._failure = unreadable(error)

    def _leave_out(self, what: str) -> None:
        self._left_out_count += 1
        if len(self._left_out) < MOST_NAMED:
            self._left_out.append(what)

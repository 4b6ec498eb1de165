"""An export in the parts that are stored one after the other: head, batches of messages, end.

Nothing of Django is imported here.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from messages_app.document.reader import ExportedMessage, ExportHeader, ExportReader
from messages_app.document.rows import Row, rows_of
from messages_app.errors import ExportUnusable, PollerError

# Large enough that a statement's overhead vanishes, small enough that memory stays flat.
BATCH_SIZE = 1000
# Characters of a batch's objects; thousands of people may have reacted to each message.
BATCH_CHARS = 1024 * 1024


class ExportEnd(NamedTuple):
    """How the reading of an export ended.

    `failure` is None where it is good; `declared_count` is what it says of the number of its
    messages, None where it says nothing.
    """

    failure: PollerError | None
    read_count: int = 0
    declared_count: int | None = None


ExportPart = ExportHeader | list[Row] | ExportEnd


def parts_of(stream: BinaryIO) -> Iterator[ExportPart]:
    """Yield the header and rows in batches as far as the document is good; its end in any case."""
    reader = ExportReader(stream)
    failure = None
    try:
        header = reader.header()
        yield header
        for batch in in_batches(reader):
            yield rows_of(batch, header.channel_id, header.exported_at)
    except ExportUnusable as error:
        failure = error
    except OSError as error:
        failure = unreadable(error)
    yield ExportEnd(failure, reader.read_count, reader.declared_count)


def in_batches(messages: Iterable[ExportedMessage]) -> Iterator[list[ExportedMessage]]:
    """Yield `messages` in batches without repeated ids (the last one counts).

    Where reading fails midway, what was read before is yielded first, then the error goes on.
    """
    batch: dict[int, ExportedMessage] = {}
    chars = 0
    failure = None
    try:
        for message in messages:
            batch[message.discord_id] = message
            chars += len(message.raw)
            if len(batch) == BATCH_SIZE or chars >= BATCH_CHARS:
                yield list(batch.values())
                batch.clear()
                chars = 0
    except (ExportUnusable, OSError) as error:
        failure = error
    if batch:
        yield list(batch.values())
    if failure:
        raise failure


def unreadable(error: OSError) -> ExportUnusable:
    """What a file that cannot be opened or read to its end comes to."""
    return ExportUnusable(f"It cannot be read ({error.strerror}): check the file and its disk.")

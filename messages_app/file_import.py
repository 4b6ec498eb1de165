"""Imports files that DiscordChatExporter has already written, whatever its version."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from django.db import transaction

from messages_app.errors import ExportUnusable, UsageError
from messages_app.export_file import ExportReader
from messages_app.store import Observation, in_batches, store_batch, store_channel
from messages_app.tally import Tally

# A file's size is not bounded, so a transaction takes this many batches: large enough that
# committing costs little, small enough that the others get their turn at the database.
BATCHES_PER_TRANSACTION = 20
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class FileOutcome:
    """What came of one file: what was stored of it, and what is to be said about it."""

    tally: Tally
    warning: str = ""
    failure: ExportUnusable | None = None


def files_in(paths: Iterable[str]) -> list[Path]:
    """The files that the arguments name, the JSON files of a folder; raise UsageError."""
    files: list[Path] = []
    for path in map(Path, paths):
        try:
            files += _files_of(path)
        except OSError as error:
            raise UsageError(f"{path} cannot be read ({error.strerror}).") from None
    return files


def _files_of(path: Path) -> list[Path]:
    if str(path) == STANDARD_INPUT:
        return [path]
    if not stat.S_ISDIR(path.stat().st_mode):
        return [path]
    inside = sorted(file for file in path.rglob("*.json") if file.is_file())
    if not inside:
        raise UsageError(f"The folder {path} holds no JSON files.")
    return inside


def import_file(stream: BinaryIO, stored: Callable[[Tally], None]) -> FileOutcome:
    """Store what an export holds; after each transaction `stored` is told the tally so far.

    What was read before a fault stays stored. A wrong count is a warning only: other programs
    trim exports and leave the count.
    """
    reader = ExportReader(stream)
    try:
        header = reader.header()
    except ExportUnusable as error:
        return FileOutcome(Tally(), failure=error)
    except OSError as error:
        return FileOutcome(Tally(), failure=unreadable(error))
    observation = Observation(header.exported_at, is_history=True)
    batches = in_batches(reader)
    tally = Tally()
    failure = None
    read_before = -1
    while failure is None and read_before < tally.read:
        read_before = tally.read
        with transaction.atomic():
            store_channel(header, observation)
            try:
                for batch in islice(batches, BATCHES_PER_TRANSACTION):
                    tally = tally.plus(store_batch(batch, header.channel_id, observation))
            except ExportUnusable as error:
                failure = error
            except OSError as error:
                failure = unreadable(error)
        stored(tally)
    return FileOutcome(tally, "" if failure else _count_warning(reader), failure)


def unreadable(error: OSError) -> ExportUnusable:
    """What a file that cannot be opened or read to its end comes to."""
    return ExportUnusable(f"It cannot be read ({error.strerror}): check the file and its disk.")


def _count_warning(reader: ExportReader) -> str:
    if reader.declared_count in (None, reader.read_count):
        return ""
    return f"it says that it holds {reader.declared_count} messages, but holds {reader.read_count}"

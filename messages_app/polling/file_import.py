"""Imports files that DiscordChatExporter has already written, whatever its version."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.db import transaction

from messages_app.errors import PollerError, UsageError
from messages_app.export_file import ExportHeader
from messages_app.export_parts import ExportEnd, Part
from messages_app.reading import Reading, reading
from messages_app.store import store_batch, store_channel
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
    failure: PollerError | None = None


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
    with reading(stream) as source:
        header = source.next_part()
        if isinstance(header, ExportEnd):
            return FileOutcome(Tally(), failure=header.failure)
        assert isinstance(header, ExportHeader), "it is the first part"
        tally = Tally()
        end = None
        while end is None:
            first = source.next_part()  # before the database is locked for others
            with transaction.atomic():
                store_channel(header, is_history=True)
                for part in _at_hand(first, source):
                    if isinstance(part, ExportEnd):
                        end = part
                        break
                    assert isinstance(part, list), "what follows the header is rows"
                    tally = tally.plus(store_batch(part, is_history=True))
            stored(tally)
    return FileOutcome(tally, _count_warning(end), end.failure)


def _at_hand(first: Part, source: Reading) -> Iterator[Part]:
    """The parts of one transaction: `first`, and what follows without keeping it open long."""
    yield first
    for _ in range(BATCHES_PER_TRANSACTION - 1):
        if not source.is_ready():
            return
        yield source.next_part()


def _count_warning(end: ExportEnd) -> str:
    if end.failure or end.declared_count in (None, end.read_count):
        return ""
    return f"it says that it holds {end.declared_count} messages, but holds {end.read_count}"

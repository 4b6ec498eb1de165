"""Imports files that DiscordChatExporter has already written, whatever its version."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

from messages_app.database.bounded import bounded_transaction
from messages_app.database.channels import store_channel
from messages_app.database.store import store_batch
from messages_app.document.parts import ExportEnd, ExportPart
from messages_app.document.reader import ExportHeader
from messages_app.document.reader_process import Reading, reading
from messages_app.document.rows import COLUMNS, time_of
from messages_app.errors import PollerError, UsageError
from messages_app.scheduling import DISCORD_TIMES
from messages_app.tally import Tally
from messages_app.windows import Window

# A file's size is not bounded, so a transaction takes this many batches: large enough that
# committing costs little, small enough that the others get their turn at the database.
BATCHES_PER_TRANSACTION = 20
STANDARD_INPUT = "-"
TIMESTAMP = COLUMNS.index("timestamp")


@dataclass(frozen=True)
class FileOutcome:
    """What came of one file: what was stored of it, and what is to be said about it.

    `spans` are when the messages that were read are from, of each channel.
    """

    tally: Tally
    spans: Mapping[int, Window] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    failure: PollerError | None = None


class FilesFound(NamedTuple):
    """What the arguments of an import name.

    `certain` were named one by one or are standard input; of the others, found in folders, one that
    turns out to be no export is no fault. `passed_over` are the paths in folders that nobody takes
    for exports.
    """

    files: list[Path]
    certain: set[Path]
    passed_over: list[str]


def files_in(paths: Iterable[str]) -> FilesFound:
    """The files that the arguments name, the JSON files of a folder; raise UsageError."""
    found = FilesFound([], set(), [])
    for path in map(Path, paths):
        try:
            if str(path) == STANDARD_INPUT or not stat.S_ISDIR(path.stat().st_mode):
                found.files.append(path)
                found.certain.add(path)
            else:
                _look_into(path, found)
        except OSError as error:
            raise UsageError(
                f"{error.filename or path} cannot be read ({error.strerror})."
            ) from None
    return found


def _look_into(folder: Path, found: FilesFound) -> None:
    """Add what is in a folder; links to folders are not followed. Raise UsageError, OSError."""
    inside, passed_over = [], []
    for place, folders, names in os.walk(folder, onerror=_fail):
        here = Path(place)
        passed_over += [f"{here / name}/" for name in folders if _is_debris(name)]
        folders[:] = sorted(name for name in folders if not _is_debris(name))
        for name in sorted(names):
            is_json = name.lower().endswith(".json") and not name.startswith(".")
            if is_json and (here / name).is_file():
                inside.append(here / name)
            else:
                passed_over.append(str(here / name))
    if not inside:
        raise UsageError(f"The folder {folder} holds no JSON files.")
    found.files.extend(inside)
    found.passed_over.extend(passed_over)


def _is_debris(folder: str) -> bool:
    """Whether a folder of this name holds downloaded media, or what a computer keeps for itself."""
    return folder.endswith("_Files") or folder == "__MACOSX" or folder.startswith(".")


def _fail(error: OSError) -> None:
    raise error


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
        first_time, last_time = "~", ""
        end = None
        while end is None:
            first = source.next_part()  # before the database is locked for others
            with bounded_transaction():
                store_channel(header, header.exported_at, is_history=True)
                for part in _at_hand(first, source):
                    if isinstance(part, ExportEnd):
                        end = part
                        break
                    assert isinstance(part, list), "what follows the header is rows"
                    tally = tally.plus(store_batch(part, is_history=True))
                    times = [row[TIMESTAMP] for row in part]
                    first_time = min(first_time, *times)
                    last_time = max(last_time, *times)
            stored(tally)
    span = span_of(first_time, last_time) if tally.read else None
    return FileOutcome(
        tally,
        {header.channel_id: span} if span else {},
        [*_count_warning(end), *_blank_warning(tally)],
        end.failure,
    )


def span_of(first: str, last: str) -> Window | None:
    """When the messages are from, in whole seconds; None where no message can be from then."""
    start, end = (time_of(text).replace(microsecond=0) for text in (first, last))
    if end >= DISCORD_TIMES.start and start < DISCORD_TIMES.end:
        end = min(end, DISCORD_TIMES.end) + timedelta(seconds=1)
        return Window(start, end).within(DISCORD_TIMES)
    return None


def _at_hand(first: ExportPart, source: Reading) -> Iterator[ExportPart]:
    """The parts of one transaction: `first`, and what follows without keeping it open long."""
    yield first
    for _ in range(BATCHES_PER_TRANSACTION - 1):
        if not source.is_ready():
            return
        yield source.next_part()


def _count_warning(end: ExportEnd) -> Iterator[str]:
    if not end.failure and end.declared_count not in (None, end.read_count):
        yield (
            f"it says that it holds {end.declared_count} messages, but holds {end.read_count}; "
            "all of them are imported."
        )


def _blank_warning(tally: Tally) -> Iterator[str]:
    if tally.blank:
        yield (
            f"{tally.blank} messages are shown without the text and files that they had; what is "
            "stored stays. A bot that lost the Message Content intent sees no more."
        )

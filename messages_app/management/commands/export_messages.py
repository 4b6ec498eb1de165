"""Gives the stored messages back, as JSON lines or CSV."""

from __future__ import annotations

import csv
import json
import os
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from messages_app.errors import UsageError
from messages_app.export_lines import KEYS, exported_messages
from messages_app.export_message import author_of
from messages_app.management.base import PollerCommand, discard_output, found_session

# Writes messages to a stream and returns how many.
Write = Callable[[Iterable[dict[str, Any]], TextIO], int]


class Command(PollerCommand):
    help = (
        "Writes the stored messages as JSON lines or CSV, oldest first. "
        "Example: export_messages --session 3 --format csv --output race.csv"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--session", type=int, metavar="ID", help="only this session's")
        parser.add_argument("--format", choices=("jsonl", "csv"), default="jsonl")
        parser.add_argument("--output", metavar="FILE", help="a file instead of standard output")
        parser.add_argument(
            "--with-deleted",
            action=BooleanOptionalAction,
            help="also messages that were deleted; the default for jsonl",
        )

    def handle(self, *_args: str, **options: Any) -> str | None:
        session = None if options["session"] is None else found_session(options["session"])
        is_csv = options["format"] == "csv"
        with_deleted = options["with_deleted"]
        if with_deleted is None:
            with_deleted = not is_csv
        write = write_csv if is_csv else write_json_lines
        with closing(exported_messages(session, with_deleted=with_deleted)) as messages:
            if options["output"] is not None:
                count = _write_file(Path(options["output"]), messages, write)
                return f"{count} messages written to {options['output']}"
            with _standard_output() as stream:
                write(messages, stream)
            return None


def write_json_lines(messages: Iterable[dict[str, Any]], stream: TextIO) -> int:
    """Write one JSON object a line; return how many. A lone surrogate goes out as its escape."""
    count = 0
    for message in messages:
        count += 1
        line = json.dumps(message, ensure_ascii=False)
        if not _is_encodable(line):
            line = json.dumps(message)
        stream.write(line + "\n")
    return count


def write_csv(messages: Iterable[dict[str, Any]], stream: TextIO) -> int:
    """Write a table with a head; lists are JSON in their cell. Return how many rows."""
    writer = csv.DictWriter(stream, KEYS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for message in messages:
        count += 1
        cells = {
            key: json.dumps(value) if isinstance(value, list) else value
            for key, value in message.items()
        }
        writer.writerow(cells | {"author": author_of(message["author"])[1]})
    return count


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    """Standard output in UTF-8 whatever the locale is; raise UsageError where it cannot be written.

    That its reader has gone is not told: `| head` means it.
    """
    stream = sys.stdout
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="strict", newline="")
    try:
        yield stream
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise UsageError(f"The output cannot be written ({error.strerror}).") from None


def _write_file(path: Path, messages: Iterable[dict[str, Any]], write: Write) -> int:
    """Write a file whole or not at all, so that a failure leaves what was there before."""
    try:
        if path.exists() and not path.is_file():
            return _write_in_place(path, messages, write)
        return _write_whole(path, messages, write)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}).") from None


def _write_in_place(path: Path, messages: Iterable[dict[str, Any]], write: Write) -> int:
    """Write into a pipe or a device, which must not be replaced by a file."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        return write(messages, stream)


def _write_whole(path: Path, messages: Iterable[dict[str, Any]], write: Write) -> int:
    target = path.resolve()  # a link goes on pointing at its file
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8", newline="") as stream:
            count = write(messages, stream)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return count

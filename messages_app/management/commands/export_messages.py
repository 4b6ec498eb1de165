"""Gives the stored messages back, as JSON lines or CSV."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from messages_app.errors import UsageError
from messages_app.file_export import (
    Write,
    exported_messages,
    whole_messages,
    write_csv,
    write_excel_csv,
    write_json_lines,
)
from messages_app.management.base import PollerCommand, discard_output, found_session


class Command(PollerCommand):
    help = (
        "Writes the stored messages as JSON lines or CSV, oldest first. "
        "Example: export_messages --session 3 --format csv --output race.csv"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--session", type=int, metavar="ID", help="only this session's")
        parser.add_argument(
            "--format", choices=("jsonl", "csv"), help="jsonl, one JSON object a line, by default"
        )
        parser.add_argument(
            "--excel",
            action="store_true",
            help="a CSV table that Excel reads right: with a byte order mark, ids kept as text",
        )
        parser.add_argument(
            "--raw",
            action="store_true",
            help="JSON lines of all that is stored, former texts and deletions too, which "
            "`import_messages --raw` puts into another database as it is",
        )
        parser.add_argument("--output", metavar="FILE", help="a file instead of standard output")
        parser.add_argument(
            "--with-deleted",
            action=BooleanOptionalAction,
            help="also messages that were deleted; the default for jsonl",
        )

    def handle(self, *_args: str, **options: Any) -> str | None:
        session = None if options["session"] is None else found_session(options["session"])
        is_csv = options["format"] == "csv" or options["excel"]
        if options["excel"] and options["format"] == "jsonl":
            raise UsageError("--excel is for a CSV table: leave --format jsonl out.")
        if options["raw"] and is_csv:
            raise UsageError("--raw writes JSON lines: leave --format csv and --excel out.")
        with_deleted = options["with_deleted"]
        if with_deleted is None:
            with_deleted = not is_csv
        write: Write = write_csv if is_csv else write_json_lines
        if options["excel"]:
            write = write_excel_csv
        chosen = whole_messages if options["raw"] else exported_messages
        messages = chosen(session, with_deleted=with_deleted)
        if options["output"] is not None:
            count = _write_file(Path(options["output"]), messages, write)
            return f"{count} messages written to {options['output']}"
        with _standard_output() as stream:
            write(messages, stream)
        return None


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

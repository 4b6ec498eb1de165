"""Imports messages: a range of time through the exporter, or files that were exported already."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

from messages_app.errors import UsageError
from messages_app.export_parts import unreadable
from messages_app.file_import import (
    STANDARD_INPUT,
    FileOutcome,
    files_in,
    import_file,
)
from messages_app.interruption import interruptible
from messages_app.leases import release_dead
from messages_app.management.base import (
    PollerCommand,
    channel_ids,
    found_session,
    parse_time,
    utc_now,
)
from messages_app.progress_bar import ProgressBar
from messages_app.range_import import RangeImport, parts_of
from messages_app.reporting.journal import chosen_report
from messages_app.runs import Run
from messages_app.tally import Tally
from messages_app.windows import Window


class Command(PollerCommand):
    help = (
        "Imports messages. With --start and --end it has the exporter export that range; given "
        "files (a folder, or - for standard input) it takes DiscordChatExporter's JSON exports. "
        "Example: import_messages --start 2026-05-01T18:00 --end 2026-05-01T20:00 --session 3"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", metavar="FILE", help="an export; - reads stdin")
        parser.add_argument("--start", metavar="ISO", help="the first instant of the range")
        parser.add_argument("--end", metavar="ISO", help="the first instant after the range")
        parser.add_argument("--session", type=int, metavar="ID", help="whose channels to import")
        parser.add_argument(
            "--channel", action="append", default=[], metavar="ID", help="may be repeated"
        )

    def handle(self, *_args: str, **options: Any) -> str | None:
        started = time.monotonic()
        is_range = (options["start"], options["end"]) != (None, None)
        if is_range == bool(options["files"]):
            raise UsageError("Give either --start and --end, or files.")
        if not is_range and (options["session"] is not None or options["channel"]):
            raise UsageError("--session and --channel go with --start and --end, not with files.")
        with interruptible():
            tally, status = (
                self._import_range(options) if is_range else self._import_files(options["files"])
            )
        self.stdout.write(f"{tally}, in {time.monotonic() - started:.1f} s")
        if status:
            sys.exit(status)
        return None

    def _import_range(self, options: dict[str, Any]) -> tuple[Tally, int]:
        window = self._window(options)
        session = None if options["session"] is None else found_session(options["session"])
        parts = parts_of(window, session, channel_ids(options["channel"]), self.poller.channels)
        report = chosen_report(os.environ, sys.stderr)
        with Run.of(self.poller) as run:
            with run.dead_runs() as dead:
                release_dead(dead)
            ranges = RangeImport(self.poller, os.environ, run, utc_now, report)
            ranges.import_parts(parts)
        return ranges.tally, ranges.status

    def _window(self, options: dict[str, Any]) -> Window:
        if options["start"] is None or options["end"] is None:
            raise UsageError("--start and --end go together.")
        start = parse_time(options["start"], "--start", self.poller.time_zone)
        end = parse_time(options["end"], "--end", self.poller.time_zone)
        if end <= start:
            raise UsageError(f"--end ({end.isoformat()}) must be later than --start.")
        if start > utc_now():
            raise UsageError(f"--start ({start.isoformat()}) lies in the future.")
        return Window(start, min(end, utc_now()))

    def _import_files(self, paths: list[str]) -> tuple[Tally, int]:
        tally, status = Tally(), 0
        for path in files_in(paths):
            outcome = self._import_one(path)
            tally = tally.plus(outcome.tally)
            if outcome.warning:
                self.stderr.write(f"{path}: {outcome.warning}; all of them are imported.")
            if outcome.failure:
                self.stderr.write(f"{path}: {outcome.failure}")
                status = max(status, outcome.failure.status)
        return tally, status

    def _import_one(self, path: Path) -> FileOutcome:
        try:
            stream = open_export(path)
        except OSError as error:
            return FileOutcome(Tally(), failure=unreadable(error))
        with stream, ProgressBar(path, stream, sys.stderr) as bar:
            return import_file(stream, bar.show)


def open_export(path: Path) -> BinaryIO:
    return os.fdopen(os.dup(0), "rb") if str(path) == STANDARD_INPUT else path.open("rb")

"""Imports messages: a range of time through the exporter, or files that were exported already."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from messages_app.database.clock import clocks_of
from messages_app.document.parts import unreadable
from messages_app.document.reader import NoExport
from messages_app.errors import UsageError
from messages_app.interruption import interruptible
from messages_app.management.base import (
    PollerCommand,
    channel_ids,
    found_session,
    parse_time,
    utc_now,
)
from messages_app.management.progress_bar import ProgressBar, printable
from messages_app.polling.file_import import (
    STANDARD_INPUT,
    FileOutcome,
    files_in,
    import_file,
)
from messages_app.polling.leases import release_dead
from messages_app.polling.range_import import RangeImport, parts_of
from messages_app.polling.run_folder import Run
from messages_app.polling.whole_import import import_whole
from messages_app.reporting.journal import chosen_report
from messages_app.reporting.sessions import session_line
from messages_app.scheduling import archive, check_title
from messages_app.tally import Tally
from messages_app.windows import Window

# How many of the paths that were passed over are named.
MOST_PASSED_OVER = 10

# Stores what a stream holds, telling the tally as it goes.
Import = Callable[[BinaryIO, Callable[[Tally], None]], FileOutcome]


class Command(PollerCommand):
    help = (
        "Imports messages. With --start and --end it has the exporter export that range; given "
        "files (a folder, or - for standard input) it takes DiscordChatExporter's JSON exports. "
        "Example: import_messages --start 2026-05-01T18:00 --end 2026-05-01T20:00 --session 3"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", metavar="FILE", help="an export; - reads stdin")
        parser.add_argument(
            "--raw", action="store_true", help="the files are what `export_messages --raw` wrote"
        )
        parser.add_argument("--start", metavar="ISO", help="the first instant of the range")
        parser.add_argument("--end", metavar="ISO", help="the first instant after the range")
        parser.add_argument("--session", type=int, metavar="ID", help="whose channels to import")
        parser.add_argument(
            "--session-title",
            metavar="TITLE",
            help="with files: make a closed session of what they hold, to be looked at on the page",
        )
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
        if is_range and options["raw"]:
            raise UsageError("--raw goes with files, not with --start and --end.")
        title = options["session_title"]
        if title is not None:
            if is_range:
                raise UsageError("--session-title goes with files, not with --start and --end.")
            check_title(title)
        with interruptible():
            tally, status = (
                self._import_range(options)
                if is_range
                else self._import_files(options["files"], title, is_raw=options["raw"])
            )
        self.stdout.write(f"{tally}, in {time.monotonic() - started:.1f} s")
        if status:
            sys.exit(status)
        return None

    def _import_range(self, options: dict[str, Any]) -> tuple[Tally, int]:
        clock = clocks_of(utc_now).earliest
        window = self._window(options, clock())
        session = None if options["session"] is None else found_session(options["session"])
        parts = parts_of(window, session, channel_ids(options["channel"]), self.poller.channels)
        report = chosen_report(os.environ, sys.stderr)
        with Run.of(self.poller) as run:
            release_dead(run)
            ranges = RangeImport(self.poller, os.environ, run, clock, report)
            ranges.import_parts(parts)
        return ranges.tally, ranges.status

    def _window(self, options: dict[str, Any], now: datetime) -> Window:
        if options["start"] is None or options["end"] is None:
            raise UsageError("--start and --end go together.")
        start = parse_time(options["start"], "--start", self.poller.time_zone)
        end = parse_time(options["end"], "--end", self.poller.time_zone)
        if end <= start:
            raise UsageError(f"--end ({end.isoformat()}) must be later than --start.")
        if start > now:
            raise UsageError(f"--start ({start.isoformat()}) lies in the future.")
        return Window(start, min(end, now))

    def _import_files(
        self, paths: list[str], title: str | None, *, is_raw: bool
    ) -> tuple[Tally, int]:
        tally, status = Tally(), 0
        spans: dict[int, Window] = {}
        found = files_in(paths)
        passed_over = found.passed_over
        for path in found.files:
            outcome = self._import_one(path, import_whole if is_raw else import_file)
            tally = tally.plus(outcome.tally)
            for channel_id, span in outcome.spans.items():
                spans[channel_id] = spans.get(channel_id, span).around(span)
            for warning in outcome.warnings:
                self.stderr.write(f"{path}: {warning}")
            if isinstance(outcome.failure, NoExport) and path not in found.certain:
                passed_over.append(str(path))
            elif outcome.failure:
                self.stderr.write(f"{path}: {outcome.failure}")
                status = max(status, outcome.failure.status)
        if passed_over:
            self.stderr.write(_passed_over(passed_over))
        if title is not None:
            self._make_archive(title, spans)
        return tally, status

    def _make_archive(self, title: str, spans: dict[int, Window]) -> None:
        if not spans:
            self.stderr.write("No message came of the files, so there is no session to be made.")
            return
        now = utc_now()
        self.stdout.write(session_line(archive(title, spans, now), now))

    def _import_one(self, path: Path, imported: Import) -> FileOutcome:
        try:
            stream = open_export(path)
        except OSError as error:
            return FileOutcome(Tally(), failure=unreadable(error))
        with stream, ProgressBar(path, stream, sys.stderr) as bar:
            return imported(stream, bar.show)


def _passed_over(paths: list[str]) -> str:
    """One line that names what in the folders was no export."""
    named = ", ".join(printable(path) for path in sorted(paths)[:MOST_PASSED_OVER])
    unnamed = len(paths) - MOST_PASSED_OVER
    more = f" and {unnamed:,} more" if unnamed > 0 else ""
    return f"Passed over, since they are no exports: {named}{more}."


def open_export(path: Path) -> BinaryIO:
    return os.fdopen(os.dup(0), "rb") if str(path) == STANDARD_INPUT else path.open("rb")

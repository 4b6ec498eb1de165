"""Examines whether everything is there that a poll needs, and says what to do if not."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from messages_app.doctor import exporting, host, storage
from messages_app.doctor.finding import Finding, State, skipped
from messages_app.interruption import interruptible
from messages_app.management.base import PollerCommand, utc_now
from messages_app.reporting.status_text import marks_for, terminal_width, writable
from messages_app.reporting.timer import read_timer

SUBJECT_WIDTH = 12


class Command(PollerCommand):
    help = (
        "Checks exporter, token, channels, database, disk, clock, timer and permissions, and says "
        "what to do about each. Exits 1 if something is wrong. Example: doctor --offline"
    )
    needs_the_schema = False  # a database that is not migrated is one of the findings

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--offline", action="store_true", help="do not ask Discord")

    def handle(self, *_args: str, **options: Any) -> str | None:
        count = 0
        with interruptible():
            for finding in self._findings(offline=options["offline"]):
                count += finding.state is State.BAD
                self.stdout.write(self._shown(finding))
                self.stdout.flush()
        self.stdout.write(
            f"{count} of these want your attention." if count else "Everything is in order."
        )
        if count:
            sys.exit(1)
        return None

    def _findings(self, *, offline: bool) -> Iterator[Finding]:
        settings, environ, now = self.poller, os.environ, utc_now()
        yield from host.check_configuration(environ)
        database = list(storage.check_database())
        yield from database
        yield from storage.check_space(settings)
        yield from storage.check_permissions(settings, environ)
        yield host.check_clock()
        yield host.check_timer(read_timer(now, time.monotonic()), now)
        yield host.check_time_limit(settings)
        yield from host.check_libraries(settings)
        exporter = exporting.check_exporter(settings, environ)
        token = exporting.check_token(settings)
        yield exporter
        yield token
        if offline:
            yield skipped("channels", "not tried, as --offline asks for")
        elif any(each.state is State.BAD for each in (*database, exporter, token)):
            yield skipped("channels", "not tried before the above is mended")
        else:
            channel_ids = exporting.channels_to_try(settings, now)
            yield from exporting.check_channels(settings, environ, channel_ids, now)

    def _shown(self, finding: Finding) -> str:
        marks = marks_for(self.stdout)
        mark = {State.GOOD: marks.good, State.BAD: marks.bad, State.SKIPPED: "-"}[finding.state]
        paints = {State.GOOD: self.style.SUCCESS, State.BAD: self.style.ERROR}
        indent = len(marks.good) + SUBJECT_WIDTH + 2
        text = textwrap.fill(
            finding.sentence,
            terminal_width(),
            initial_indent=" " * indent,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        ).lstrip()
        painted = paints.get(finding.state, str)(mark) + " " * (len(marks.good) - len(mark))
        line = f"{painted} {finding.subject:<{SUBJECT_WIDTH}} {text}"
        return writable(line, self.stdout)

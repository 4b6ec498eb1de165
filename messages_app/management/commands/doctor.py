"""Examines whether everything is there that a poll needs, and says what to do if not."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from messages_app.doctor import exporting, host, storage
from messages_app.doctor.finding import Finding, State, skipped
from messages_app.doctor.runtime_calls import refused_calls
from messages_app.doctor.trial import (
    TRIAL,
    TRIAL_FILE,
    Trial,
    exporter_finding,
    read_trial,
    trial_lines,
)
from messages_app.interruption import interruptible
from messages_app.management.base import PollerCommand, utc_now
from messages_app.reporting.status_text import marks_for, terminal_width, writable
from messages_app.reporting.timer import read_timer

SUBJECT_WIDTH = 12
# As long as systemd gives a run of the service, whose time limit the trial has.
TRIAL_LIMIT_S = 400


class Command(PollerCommand):
    help = (
        "Checks exporter, token, channels, database, disk, clock, timer and permissions, and says "
        "what to do about each. Exits 1 if something is wrong. Example: doctor --offline"
    )
    needs_the_schema = False  # a database that is not migrated is one of the findings

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--offline", action="store_true", help="do not ask Discord")
        parser.add_argument("--exporter", action="store_true", help="examine the exporter alone")

    def handle(self, *_args: str, **options: Any) -> str | None:
        if TRIAL in os.environ:
            for line in trial_lines(self.poller, os.environ, utc_now()):
                self.stdout.write(line)
                self.stdout.flush()
            return None
        findings = (
            iter([self._exporter()[0]])
            if options["exporter"]
            else self._findings(offline=options["offline"])
        )
        count = 0
        with interruptible():
            for finding in findings:
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
        yield host.check_room(settings)
        yield from host.check_libraries(settings)
        token = exporting.check_token(settings)
        exporter, trial = self._exporter()
        yield exporter
        yield token
        if offline:
            yield skipped("channels", "not tried, as --offline asks for")
        elif any(each.state is State.BAD for each in (*database, exporter, token)):
            yield skipped("channels", "not tried before the above is mended")
        elif trial:
            yield from trial.channels
        else:
            channel_ids = exporting.channels_to_try(settings, now)
            yield from exporting.check_channels(settings, environ, channel_ids, now)

    def _exporter(self) -> tuple[Finding, Trial | None]:
        """The exporter as it is here, and in the service's sandbox where there is one."""
        finding = exporting.check_exporter(self.poller, os.environ)
        path = os.environ.get(TRIAL_FILE)
        if not path:
            return finding, None
        trial = read_trial(Path(path), TRIAL_LIMIT_S)
        return exporter_finding(finding, trial, refused_calls()), trial

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

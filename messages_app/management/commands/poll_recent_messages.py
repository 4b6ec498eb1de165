"""One poll of the live session: the main job."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from messages_app.database.clock import clocks_of
from messages_app.errors import PollerError
from messages_app.events import run_done, run_failed
from messages_app.interruption import interruptible
from messages_app.management.base import PollerCommand, utc_now
from messages_app.polling.poll import poll_recent
from messages_app.reporting.journal import chosen_report, is_journal
from messages_app.reporting.signs_of_life import SignsOfLife


class Command(PollerCommand):
    help = (
        "Polls the live session once: has the exporter export the newest window of each channel "
        "and stores every message, edit and deletion. Example: poll_recent_messages --now"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--now",
            action="store_true",
            help="try at once, also the feeds that are waiting after failures",
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        self._report = chosen_report(os.environ, sys.stderr)
        try:
            with SignsOfLife(self.poller, os.environ, self._report) as self._signs_of_life:
                return super().execute(*args, **options)
        except PollerError as error:
            if not is_journal(os.environ):
                raise
            self._report(run_failed(error))
            sys.exit(error.status)

    def handle(self, *_args: str, **options: Any) -> str | None:
        with interruptible():
            outcome = poll_recent(
                self.poller,
                os.environ,
                clocks_of(utc_now),
                self._report,
                ignore_backoff=options["now"],
            )
        self._signs_of_life.outcome = outcome
        if is_journal(os.environ):
            self._report(run_done(outcome.sentence))
        else:
            self.stdout.write(outcome.sentence)
        if outcome.status:
            sys.exit(outcome.status)
        return None

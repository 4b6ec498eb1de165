"""One poll of the live session: the main job."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from messages_app.interruption import interruptible
from messages_app.management.base import PollerCommand, utc_now
from messages_app.polling import poll_recent
from messages_app.reporting.events import run_done
from messages_app.reporting.journal import chosen_report, is_journal


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

    def handle(self, *_args: str, **options: Any) -> str | None:
        report = chosen_report(os.environ, sys.stderr)
        with interruptible():
            outcome = poll_recent(
                self.poller, os.environ, utc_now, report, ignore_backoff=options["now"]
            )
        if is_journal(os.environ):
            report(run_done(outcome.sentence))
        else:
            self.stdout.write(outcome.sentence)
        if outcome.status:
            sys.exit(outcome.status)
        return None

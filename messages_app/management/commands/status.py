"""Tells how it is, for a person or a monitor."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from typing import Any

from messages_app.errors import PollerError
from messages_app.exporter.choice import choice
from messages_app.management.base import PollerCommand, utc_now
from messages_app.reporting.problems import problems_of, verdict_of
from messages_app.reporting.situation import Verdict, take_situation
from messages_app.reporting.status_json import broken_document, status_document
from messages_app.reporting.status_text import (
    Screen,
    marks_for,
    status_text,
    terminal_width,
    writable,
)


class Command(PollerCommand):
    help = (
        "Tells how it is: the sessions with their coverage, gaps and failures, the timer, the last "
        "polls. Exits 0 if healthy, 1 if degraded, 2 if broken. Example: status --json"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="for a program to read")

    def execute(self, *args: Any, **options: Any) -> str | None:
        if os.environ.get("NO_COLOR"):  # the convention of no-color.org, which Django lacks
            options["no_color"] = True
        try:
            return super().execute(*args, **options)
        except PollerError as error:
            if options["json"]:
                self.stdout.write(json.dumps(broken_document(utc_now(), str(error)), indent=2))
            else:
                self.stderr.write(f"discord-poller is BROKEN: {error}")
            sys.exit(Verdict.BROKEN)

    def handle(self, *_args: str, **options: Any) -> str | None:
        situation = take_situation(utc_now())
        problems = problems_of(situation, self.poller.channels)
        verdict = verdict_of(problems)
        exporter = choice(self.poller)
        if options["json"]:
            document = status_document(situation, problems, verdict, exporter)
            self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))
        else:
            paints = (self.style.SUCCESS, self.style.WARNING, self.style.ERROR)
            screen = Screen(terminal_width(), marks_for(self.stdout), paints)
            text = status_text(situation, problems, verdict, exporter, screen)
            self.stdout.write(writable(text, self.stdout))
        if verdict:
            sys.exit(verdict)
        return None

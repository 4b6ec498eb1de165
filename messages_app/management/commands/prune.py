"""Removes what is old, so that the database stays small; a timer runs it once a day."""

from __future__ import annotations

from argparse import ArgumentParser
from importlib import import_module
from typing import Any

from django.conf import settings

from messages_app.interruption import interruptible
from messages_app.management.base import PollerCommand, utc_now
from messages_app.polling.pruning import (
    old_messages,
    old_polls,
    prune_dead_runs,
    prune_messages,
    prune_polls,
)


class Command(PollerCommand):
    help = (
        "Removes records of polls older than POLLER_KEEP_POLLS days, what killed runs left behind, "
        "and, only if POLLER_KEEP_MESSAGES is set, messages older than so many days. "
        "Example: prune --dry-run"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only tell what would go")

    def handle(self, *_args: str, **options: Any) -> str:
        now = utc_now()
        if options["dry_run"]:
            polls, messages = old_polls(self.poller, now), old_messages(self.poller, now)
            return f"Would remove {self._sentence(polls, messages)}."
        with interruptible():
            runs = prune_dead_runs(self.poller)
            polls, messages = prune_polls(self.poller, now), prune_messages(self.poller, now)
            import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
        left = f", and what {_number(runs, 'killed run')} left" if runs else ""
        return f"Removed {self._sentence(polls, messages)}{left}."

    def _sentence(self, polls: int, messages: int) -> str:
        days = self.poller.keep_messages_days
        of_messages = (
            "no messages (POLLER_KEEP_MESSAGES is not set)"
            if days is None
            else f"{_number(messages, 'message')} older than {_number(days, 'day')}"
        )
        kept = _number(self.poller.keep_polls_days, "day")
        return f"{_number(polls, 'record')} of polls older than {kept}, {of_messages}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

"""Fills in what pages and search need of messages that a former release stored."""

from __future__ import annotations

import time
from typing import Any

from messages_app.database.filling import fill
from messages_app.interruption import interruptible
from messages_app.management.base import PollerCommand, utc_now
from messages_app.models import Filling

# How often the journal is told.
TOLD_EVERY_S = 30


class Command(PollerCommand):
    help = (
        "Prepares messages that a former release stored for this one's pages and search, newest "
        "first; whatever it has not reached yet is shown and found as before. Polls go first, and "
        "it may be ended at any time and goes on where it was. Example: fill"
    )

    def handle(self, *_args: str, **_options: Any) -> str:
        began = told = time.monotonic()

        def tell(filling: Filling) -> None:
            nonlocal told
            if time.monotonic() - told >= TOLD_EVERY_S:
                told = time.monotonic()
                self.stdout.write(f"{words_for(filling)}.")
                self.stdout.flush()

        with interruptible():
            made = fill(tell, utc_now())
        if not made:
            return "All messages are prepared."
        noun = "message" if made == 1 else "messages"
        return f"Prepared {made:,} {noun} in {time.monotonic() - began:.0f} s, and that is all."


def words_for(filling: Filling) -> str:
    """How far it is: "600,000 of 5,000,000 messages (12 %) are prepared"."""
    percent = 100 * filling.filled // max(filling.messages, 1)
    return (
        f"{filling.filled:,} of {filling.messages:,} messages ({min(percent, 100)} %) are prepared"
    )

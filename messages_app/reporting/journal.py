"""Where events go: into the journal with their fields, or as lines to standard error."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

from messages_app.events import Event, Report

SYSLOG_IDENTIFIER = "discord-poller"


def chosen_report(environ: Mapping[str, str], stderr: TextIO) -> Report:
    """The journal where standard error is connected to it and systemd-python is there."""
    if is_journal(environ):
        try:
            from systemd import journal  # type: ignore[attr-defined]
        except ImportError:
            return PrefixedLines(stderr)
        return JournalRecords(journal.send)
    return Lines(stderr)


def is_journal(environ: Mapping[str, str]) -> bool:
    """Whether standard error is the journal; systemd tells its device and inode for that."""
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


class JournalRecords:
    """One structured record per event."""

    def __init__(self, send: object) -> None:
        self._send = send

    def __call__(self, event: Event) -> None:
        fields = {name: value for name, value in event.fields.items() if value}
        self._send(  # type: ignore[operator]
            event.sentence,
            MESSAGE_ID=event.message_id,
            PRIORITY=str(event.priority),
            SYSLOG_IDENTIFIER=SYSLOG_IDENTIFIER,
            **fields,
        )


class Lines:
    """One line per event, for a terminal, a container or cron."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        print(event.sentence, file=self._stream, flush=True)


class PrefixedLines(Lines):
    """Lines that tell the journal their priority (sd-daemon(3)), without systemd-python."""

    def __call__(self, event: Event) -> None:
        for line in event.sentence.splitlines():
            print(f"<{event.priority}>{line}", file=self._stream, flush=True)

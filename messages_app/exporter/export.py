"""What all exporters have in common: an export that runs, and several of them side by side."""

from __future__ import annotations

import os
import select
import shutil
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from messages_app.discord.names import Names
from messages_app.errors import ExportUnusable, PollerError
from messages_app.windows import Window


@dataclass(frozen=True)
class Stored:
    """What is stored of a channel: `is_inside` whether the window has a message that is shown, and
    when messages outside of it were posted, the likeliest to be shown first.
    """

    is_inside: bool
    outside: Sequence[datetime] = ()


@dataclass(frozen=True)
class Demand:
    """What an exporter is told besides the window, where it can make use of it.

    `expected` are the ids of messages that are stored and shown in the window. `must_ask`: what
    was learned otherwise does not count, the channel is to be asked itself. `stored` tells, when it
    is called, what is stored of the channel; None where an empty window need not be proved.
    `asked_at` is when it is asked, None where that does not matter.
    """

    expected: Collection[int] = ()
    must_ask: bool = False
    stored: Callable[[], Stored] | None = None
    asked_at: datetime | None = None


NOTHING_MORE = Demand()
# A document is opened without waiting for anybody, and where it is, not where a link leads to.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_document(path: Path) -> BinaryIO:
    """Open what an exporter wrote; raise ExportUnusable where that is no file that can be read."""
    try:
        descriptor = os.open(path, _READ)
    except FileNotFoundError:
        raise ExportUnusable(
            "The exporter reported success but wrote no file: the window will be read again."
        ) from None
    except OSError as error:
        raise unreadable(error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ExportUnusable(
            "The exporter wrote something else than a file: the window will be read again."
        )
    return open(descriptor, "rb")


def discard_document(path: Path) -> None:
    """Remove what an exporter wrote, whatever it is and as far as it can be removed."""
    try:
        path.unlink()
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


class Export(ABC):
    """One running or ended export. `output` is its file, which may be missing, cut or wrong."""

    def __init__(self, output: Path, time_limit_s: float) -> None:
        self.output = output
        self.seconds = 0.0
        self.timed_out = False
        self._time_limit_s = time_limit_s
        self._started = time.monotonic()

    @property
    def deadline(self) -> float:
        """The instant of `time.monotonic()` at which the time limit is reached."""
        return self._started + self._time_limit_s

    def age_s(self) -> float:
        """Seconds since the export was started."""
        return time.monotonic() - self._started

    @abstractmethod
    def descriptors(self) -> list[int]:
        """What to wait for: files that can be read when there is something to do."""

    @abstractmethod
    def attend(self, descriptor: int) -> bool:
        """Do what there is to do about a descriptor; return whether the export has ended."""

    # How often `look` is called at least while nothing happens, in seconds; 0: never.
    look_every_s = 0.0

    def look(self) -> bool:
        """Return whether the export has ended by what no descriptor tells."""
        return False

    @abstractmethod
    def end(self) -> None:
        """End the export and all that it started, at once; harmless where it has ended."""

    @abstractmethod
    def failure(self) -> PollerError | None:
        """What went wrong, or None where nothing did; call it after the end."""

    def document(self) -> BinaryIO:
        """Open what was written; raise ExportUnusable where that is no file that can be read."""
        return open_document(self.output)

    def discard(self) -> None:
        """Remove what was written, whatever it is; what cannot be removed goes with the run."""
        discard_document(self.output)

    # A message that was seen outside of the window, where one was looked for.
    shown_id: int | None = None

    @property
    def is_readable(self) -> bool:
        """Whether the channel is known to have been readable: what is not shown is not there."""
        return False

    def told_part(self, window: Window, count: int, last_at: datetime | None) -> Window:
        """The beginning of `window` of which a document of `count` messages tells at best.

        `last_at` is when the last of them was posted, None where there is none.
        """
        return window

    def proved(self, window: Window) -> Window | None:
        """The beginning of `window` of which the document is the whole truth; None: nothing."""
        return window if self.failure() is None else None


def unreadable(error: OSError) -> ExportUnusable:
    """What to say of a document that the system cannot read."""
    return ExportUnusable(
        f"The export cannot be read ({error.strerror}): check the disk; the window will be read "
        "again."
    )


class Exporter(ABC):
    """Something that exports; `name` is told in records."""

    name: str

    @abstractmethod
    def start(self, channel_id: int, window: Window, demand: Demand = NOTHING_MORE) -> Export:
        """Start the export of one channel's window; raise ConfigurationError if it cannot start."""

    @property
    def makes_demands_count(self) -> bool:
        """Whether a Demand makes a difference, so that it is worth finding out."""
        return False

    def names(self) -> Names | None:
        """What was learned of people and guilds, to be kept; None: nothing that could be."""
        return None

    def sees_contents(self) -> bool | None:
        """Whether Discord shows it what messages say; None where that cannot be asked."""
        return None

    def access(self, channel_id: int) -> Sequence[str]:
        """The names of what Discord lets it do in a channel, none where that cannot be asked."""
        return ()

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Let go of what was held open; no export runs any more."""


def run_side_by_side(
    next_export: Callable[[], Export | None], finished: Callable[[Export], None], most: int
) -> None:
    """Run the exports that `next_export` starts, at most `most` at a time, until it has no more.

    `finished` is called with each ended export. However this ends, no exporter is left running.
    """
    running: list[Export] = []
    try:
        while True:
            while len(running) < most and (export := next_export()):
                running.append(export)
            if not running:
                return
            for export in wait_for_any(running):
                running.remove(export)
                finished(export)
    finally:
        for export in running:
            export.end()


def wait_for_any(exports: Sequence[Export]) -> list[Export]:
    """Wait until exports have ended or reached their time limit; return those, all ended."""
    finished: list[Export] = []
    while not finished:
        poll = select.poll()
        waited_for = {
            descriptor: export for export in exports for descriptor in export.descriptors()
        }
        for descriptor in waited_for:
            poll.register(descriptor, select.POLLIN)
        patience_s = min(export.deadline for export in exports) - time.monotonic()
        looks = [export.look_every_s for export in exports if export.look_every_s]
        for descriptor, _event in poll.poll(max(min(patience_s, *looks, 3600) * 1000, 0)):
            export = waited_for[descriptor]
            if export.attend(descriptor) and export not in finished:
                finished.append(export)
        finished += [export for export in exports if export not in finished and export.look()]
        for export in exports:
            if export not in finished and export.deadline <= time.monotonic():
                export.timed_out = True
                finished.append(export)
    for export in finished:
        export.end()
    return finished

"""SIGTERM and SIGINT: end the exporters, roll back, and die of the signal within two seconds."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from messages_app.exporter.process import kill_all

# After this the process goes without waiting for a database that does not answer; a transaction
# that is under way is rolled back all the same.
PATIENCE_S = 1.5
STATUS_WHEN_STUCK = 75


class Interrupted(BaseException):
    """A signal asked the process to end; raised in the main thread, so that everything unwinds."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Interrupted by {signal.Signals(number).name}; nothing is lost.")
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block SIGTERM and SIGINT raise Interrupted.

    Python runs signal handlers between bytecodes only, so a database driver that waits for a lock
    would hold one back: a thread that the kernel wakes at once makes sure of the end.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_make_sure, args=(reader,), daemon=True).start()
    former = {number: signal.signal(number, _raise) for number in (signal.SIGTERM, signal.SIGINT)}
    former_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(former_fd)
        for number, handler in former.items():
            signal.signal(number, handler)
        os.close(writer)


def die_of(number: int) -> None:
    """End this process by the signal itself, which is how a parent tells it from a failure."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _raise(number: int, _frame: FrameType | None) -> None:
    for handled in (signal.SIGTERM, signal.SIGINT):
        signal.signal(handled, signal.SIG_IGN)  # a second one must not interrupt the clean-up
    raise Interrupted(number)


def _make_sure(reader: int) -> None:
    if os.read(reader, 1):
        # The reader stays open: a further signal is written to it as well.
        time.sleep(PATIENCE_S)
        kill_all()
        os._exit(STATUS_WHEN_STUCK)
    os.close(reader)

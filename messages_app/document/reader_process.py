"""Reads an export here or, where it is large or a pipe, in a process beside the one that stores it.

Reading takes half as long as storing, and Python's threads would only take turns. The other
process has neither the token nor the database.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import select
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Protocol

from messages_app.document.parts import ExportEnd, ExportPart, parts_of
from messages_app.environment import CHECKOUT
from messages_app.errors import ReadingStopped

# From this size on a process of its own saves more time than its start takes; where there is but
# one processor it saves none.
LEAST_BYTES_BESIDE = 16 * 1024 * 1024

_READER = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from messages_app.document.reader_process import main; main()"
)
# Holds a whole batch, so that the other process goes on reading while this one stores.
_PIPE_BYTES = 1024 * 1024
# What an interpreter may need to start; the token is not among it.
_VARIABLES = ("PATH", "LD_LIBRARY_PATH")


class Reading(Protocol):
    """The parts of an export, of which the last one is its ExportEnd."""

    def next_part(self) -> ExportPart: ...

    def is_ready(self) -> bool:
        """Tell whether the next part can be had without waiting for whoever writes the export."""


@contextmanager
def reading(stream: BinaryIO) -> Iterator[Reading]:
    """Read an export from where `stream` stands."""
    process = None if _is_best_read_here(stream) else _started(stream)
    if process is None:
        yield _Here(parts_of(stream))
        return
    beside = Beside(process)
    try:
        yield beside
    finally:
        beside.end()


class _Here:
    def __init__(self, parts: Iterator[ExportPart]) -> None:
        self._parts = parts

    def next_part(self) -> ExportPart:
        return next(self._parts)

    def is_ready(self) -> bool:
        return True  # a file keeps nobody waiting


class Beside:
    """What `main` writes in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self._pipe = process.stdout
        with suppress(OSError):  # beyond what the system grants a user, it is only slower
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def next_part(self) -> ExportPart:
        try:
            part: ExportPart = pickle.load(self._pipe)  # noqa: S301 - our own process wrote it
        except (EOFError, pickle.UnpicklingError):
            return ExportEnd(ReadingStopped(self._process.wait()))
        return part

    def is_ready(self) -> bool:
        return bool(select.select([self._pipe], [], [], 0)[0])

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._pipe.close()


def _is_best_read_here(stream: BinaryIO) -> bool:
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        return False  # it may keep us waiting
    return status.st_size < LEAST_BYTES_BESIDE or len(os.sched_getaffinity(0)) == 1


def _started(stream: BinaryIO) -> subprocess.Popen[bytes] | None:
    """The other process, None where the system has no room for one."""
    command = [sys.executable, "-I", "-S", "-c", _READER, CHECKOUT]
    environ = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    # Inherited: what is sent to all processes of a terminal or a unit is for us to act on.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        return subprocess.Popen(command, env=environ, stdin=stream, stdout=subprocess.PIPE)
    except OSError:
        return None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def main() -> None:
    """Write the parts of standard input to standard output, which `Beside` reads."""
    try:
        for part in parts_of(sys.stdin.buffer):
            pickle.dump(part, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        pass  # whoever stored them is gone
    os._exit(0)

"""A progress bar for one file, on a terminal only."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import BinaryIO, TextIO

from messages_app.tally import Tally

WIDTH = 30
# Often enough to look alive, seldom enough to cost nothing.
INTERVAL_S = 0.1
# What a terminal that does not know its width is taken to have.
USUAL_COLUMNS = 80


class ProgressBar:
    """Shows how much of `stream` was read, and what was stored, in one line that is overwritten."""

    def __init__(self, path: Path, stream: BinaryIO, terminal: TextIO) -> None:
        self._name = printable(path.name)
        self._stream = stream
        self._terminal = terminal
        self._size = os.fstat(stream.fileno()).st_size
        self._shown_at = 0.0

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._shown_at:
            self._terminal.write("\r\033[K")
            self._terminal.flush()

    def show(self, tally: Tally) -> None:
        now = time.monotonic()
        if not self._terminal.isatty() or now - self._shown_at < INTERVAL_S:
            return
        self._shown_at = now
        # A longer line would be broken, and only its last part overwritten.
        line = f"{self._name} {self._bar()} {tally}"[: self._columns() - 1]
        self._terminal.write(f"\r\033[K{line}")
        self._terminal.flush()

    def _columns(self) -> int:
        return os.get_terminal_size(self._terminal.fileno()).columns or USUAL_COLUMNS

    def _bar(self) -> str:
        if not self._size:  # a pipe: nobody knows how much is to come
            return "…"
        share = min(os.lseek(self._stream.fileno(), 0, os.SEEK_CUR) / self._size, 1)
        filled = round(share * WIDTH)
        return f"[{'█' * filled}{' ' * (WIDTH - filled)}] {share:4.0%}"


def printable(text: str) -> str:
    """The text with what a terminal might obey, or cannot encode, as question marks."""
    return "".join(char if char.isprintable() else "?" for char in text)

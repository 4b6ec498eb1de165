"""Looks at processes from outside: children, memory, and whether they are still there."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the second one where it ends meanwhile
        return False


def wait_until_gone(*pids: int) -> None:
    give_up_at = time.monotonic() + 2
    while any(map(is_running, pids)) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert not [pid for pid in pids if is_running(pid)]


def children(pid: int) -> list[int]:
    """The processes that the main thread of a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def peak_kib(pid: int) -> int:
    """The most memory that a process has had; 0 where it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0

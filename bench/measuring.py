"""Measures whole processes: CPU seconds, wall seconds, peak memory, and ratios of pairs."""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What a process and the children that it waited for took; `blocks_out` went to the disk."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    blocks_out: int


def cost(command: list[str], environ: Mapping[str, str], stdin: Path | None = None) -> Cost:
    """Run a command to its end; raise RuntimeError where it fails."""
    null = os.devnull
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, str(stdin or null), os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, null, os.O_WRONLY, 0),
    ]
    started = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall_s = time.perf_counter() - started
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Cost(cpu_s, wall_s, usage.ru_maxrss / 1024, usage.ru_oublock)


def ratio(one: Callable[[], float], other: Callable[[], float], runs: int) -> float:
    """The median of one/other, measured in turns, since a machine's speed drifts."""
    one(), other()
    return statistics.median(one() / other() for _ in range(runs))


def progress(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)

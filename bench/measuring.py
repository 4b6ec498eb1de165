"""Measures whole processes: CPU seconds, wall seconds, peak memory, and ratios of pairs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import IO, NamedTuple

from tests.processes import children, peak_kib


class Cost(NamedTuple):
    """What a process and the children that it waited for took; `blocks_out` went to the disk."""

    cpu_s: float
    wall_s: float
    blocks_out: int


def cost(command: list[str], environ: Mapping[str, str]) -> Cost:
    """Run a command to its end; raise RuntimeError where it fails."""
    null = os.devnull
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, null, os.O_RDONLY, 0),
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
    return Cost(cpu_s, wall_s, usage.ru_oublock)


def peak_mib(command: list[str], environ: Mapping[str, str], stdin: IO[bytes] | None) -> float:
    """The peaks of a process and of its children, added up; raise RuntimeError where it fails."""
    peaks_kib: dict[int, int] = {}
    with subprocess.Popen(
        command, env=environ, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            for pid in (process.pid, *children(process.pid)):
                # The last value that is seen: a fork begins with the peak of its parent.
                peaks_kib[pid] = peak_kib(pid) or peaks_kib.get(pid, 0)
            time.sleep(0.02)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return sum(peaks_kib.values()) / 1024


def ratio(one: Callable[[], float], other: Callable[[], float], runs: int) -> float:
    """The median of one/other, measured in turns, since a machine's speed drifts."""
    one(), other()
    return statistics.median(one() / other() for _ in range(runs))


def progress(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)

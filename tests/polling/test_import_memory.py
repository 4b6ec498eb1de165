"""The memory of an import follows bytes, whatever a message weighs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import MANAGE, Manage
from tests.export_documents import document, message, minified, reaction, user
from tests.processes import children, peak_kib

MOST_KIB = 100 * 1024
# Enough to see it: without a bound on a batch's bytes it would take twice what is allowed.
MESSAGES, USERS = 40, 2500


def heavy(exported_at: str) -> bytes:
    """Messages to each of which thousands of people reacted."""
    users = [user(number) for number in range(USERS)]
    messages = [message(number, reactions=[reaction(*users)]) for number in range(MESSAGES)]
    return minified(document(*messages, exportedAt=exported_at))


@pytest.mark.parametrize("processors", [1, 2], ids=["read here", "read beside"])
def test_messages_with_thousands_of_reactions_fit(
    manage: Manage, tmp_path: Path, processors: int
) -> None:
    if processors > len(os.sched_getaffinity(0)):
        processors = 1
    path = tmp_path / "heavy.json"
    on_processors = ["taskset", "--cpu-list", "0" if processors == 1 else "0,1"]
    for exported_at in ("2026-05-01T12:00:00Z", "2026-05-02T12:00:00Z"):  # stored, then merged
        path.write_bytes(heavy(exported_at))
        with subprocess.Popen(
            [*on_processors, sys.executable, MANAGE, "import_messages", str(path)],
            env=manage.environ,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            peaks = {process.pid: 0}
            while process.poll() is None:
                for pid in (process.pid, *_children(process.pid)):
                    peaks[pid] = max(peak_kib(pid), peaks.get(pid, 0))
            assert process.stdout is not None
            assert process.stdout.read().startswith(f"{MESSAGES} read")
        assert process.returncode == 0
        assert len(peaks) == processors
        assert 0 < max(peaks.values()) < MOST_KIB


def _children(pid: int) -> list[int]:
    try:
        return children(pid)
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return []

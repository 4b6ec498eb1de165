"""Memory follows what is sent at once, whatever a session's messages weigh."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.activation import activated
from tests.attack.conftest import ROOT, migrated

MOST_BYTES = 150 * 1024 * 1024
MESSAGES, USERS = 300, 2500
FILL = f"""
import django
django.setup()
from datetime import timedelta
from tests.builders import at
from tests.web.builders import make_message, past_session
past_session()
users = [
    {{"id": str(10**17 + number), "name": f"spectator-{{number}}", "discriminator": "0000",
      "nickname": f"Spectator {{number}}", "isBot": False,
      "avatarUrl": f"https://cdn.discordapp.com/avatars/{{10**17 + number}}/{"0" * 32}.png"}}
    for number in range({USERS})
]
reactions = [{{"emoji": {{"id": "", "name": "x"}}, "count": {USERS}, "users": users}}]
for number in range({MESSAGES}):
    make_message(at(0) + timedelta(seconds=number), f"message {{number}}", reactions=reactions)
"""


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A server's environment whose session, number 1, has 300 messages of half a megabyte."""
    return migrated(tmp_path_factory.mktemp("state"), FILL)


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had so far."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("kind", ["jsonl", "csv", "html"])
def test_a_download_of_heavy_messages(heavy: dict[str, str], kind: str) -> None:
    with activated(heavy, stderr=subprocess.PIPE) as (port, process):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        client.request("GET", f"/sessions/1/download/{kind}/")
        answer = client.getresponse()
        received = 0
        has_last = False
        while part := answer.read(1024 * 1024):
            received += len(part)
            has_last |= b"message 299" in part
        assert answer.status == 200
        assert has_last
        assert kind != "jsonl" or received > MESSAGES * USERS * 100
        assert peak_bytes(process.pid) < MOST_BYTES
        client.close()


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_export_of_heavy_messages(heavy: dict[str, str], kind: str, tmp_path: Path) -> None:
    command = ["manage.py", "export_messages", "--format", kind, "--output", str(tmp_path / "out")]
    process = subprocess.Popen([sys.executable, *command], env=heavy, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    assert status == 0
    with (tmp_path / "out").open(encoding="utf-8") as lines:
        assert sum("message 299" in line for line in lines) == 1
    assert usage.ru_maxrss * 1024 < MOST_BYTES

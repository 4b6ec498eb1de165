"""How the web side bears 200 viewers of a live session on a large database.

A real server, started as its unit starts it, and viewers that do what the page's script does, each
with a login and a connection of its own, on loopback and for a bounded time.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.measuring import progress
from bench.results import Row
from bench.workplace import MANAGE, PYTHON, Workplace, filled
from tests.activation import activated
from tests.large_exports import CHANNEL_ID
from tests.processes import children

PAGE = 100
PERIOD_S = 3.0  # of the page's script
POLL_EVERY_S = 15.0  # twice as often as the timer, so that a short time has several
PAGES = 30
ASKS_OF_EACH = 20
LOG_IN = """
import sys, django
django.setup()
from django.contrib import auth
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
user = User.objects.create_user("viewer")
for _ in range(int(sys.argv[1])):
    session = SessionStore()
    session[auth.SESSION_KEY] = str(user.pk)
    session[auth.BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(session.session_key)
"""


def watching(place: Workplace, stored: int, viewers: int, watch_s: float) -> list[Row]:
    """The rows: `viewers` watch for `watch_s`, on a database that holds `stored` messages."""
    progress(f"{viewers} viewers of a session on a database of {stored:,} messages")
    cookies = _prepared(place, stored, viewers)
    with activated(place.environ, cwd=place.folder) as (port, process):
        asyncio.run(_opened(port, cookies[0]))
        server = [process.pid, *children(process.pid)]
        page_ms = asyncio.run(_page_ms(port, cookies[0], server))
        nothing_ms = asyncio.run(_nothing_new_ms(port, cookies, server))
        share, waits_s = asyncio.run(_session(port, cookies, server, place, watch_s))
    who = f"{viewers} viewers, {stored:,} messages"
    return [
        Row(f"page of {PAGE} messages, {stored:,} stored, CPU of the server", page_ms, 25, "ms"),
        Row(f"«nothing new», {who}, CPU of the server", nothing_ms, 1, "ms"),
        Row(f"{who}, polls beside them, share of a core", share, 0.25, ""),
        Row(f"{who}, polls beside them, answer, p99", waits_s, 1, "s"),
    ]


def _prepared(place: Workplace, stored: int, viewers: int) -> list[str]:
    """Fill the database, begin a session half an hour ago and poll it; return logins' cookies."""
    place.environ["POLLER_EXPORTER"] = f"{PYTHON} {MANAGE} replay"
    filled(place, stored)
    now = datetime.now(UTC)
    times = {"--start": now - timedelta(minutes=30), "--end": now + timedelta(hours=1)}
    words = [word for name, at in times.items() for word in (name, at.isoformat())]
    place.manage("session", "add", "Bench", *words, "--channel", str(CHANNEL_ID))
    place.manage("poll_recent_messages")
    done = subprocess.run(
        [PYTHON, "-c", LOG_IN, str(viewers)],
        env={**place.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.split()


@dataclass
class Viewer:
    """An open page of the session, with a kept connection."""

    cookie: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    page: dict[str, str]

    async def get(self, path: str) -> tuple[int, bytes]:
        """The status and the body that are answered."""
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={self.cookie}\r\n\r\n"
        self.writer.write(head.encode())
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", answer, re.IGNORECASE)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        return int(answer.split()[1]), body

    async def ask(self) -> int:
        """Ask for news as the script does; return how many messages came."""
        names = ("version", "first", "last", "tail")
        query = urlencode({name: self.page[name] for name in names})
        status, body = await self.get(f"{self.page['live']}?{query}")
        if status == 204:
            return 0
        if status != 200:
            raise RuntimeError(f"the server answered {status}: {body[:200]!r}")
        answer = json.loads(body)
        self.page |= {"version": answer["version"], "last": answer["last"]}
        return int(answer["count"])


async def _opened(port: int, cookie: str) -> Viewer:
    """A viewer who has the newest page of the session open."""
    viewer = Viewer(cookie, *await asyncio.open_connection("127.0.0.1", port, limit=2**20), {})
    status, body = await viewer.get("/sessions/1/")
    if status != 200:
        raise RuntimeError(f"the server answered {status}: {body[:200]!r}")
    (tag,) = re.findall("<body[^>]*>", body.decode())
    viewer.page = dict(re.findall(r'data-(\w+)="([^"]*)"', tag))
    if (shown := len(re.findall(rb' id="m\d+"', body))) != PAGE:
        raise RuntimeError(f"the page shows {shown} messages")
    return viewer


async def _page_ms(port: int, cookie: str, server: list[int]) -> float:
    """What one page costs the warm server, in ms of CPU."""
    viewer = await _opened(port, cookie)
    before_s = cpu_s(server)
    for _ in range(PAGES):
        await viewer.get("/sessions/1/")
    return (cpu_s(server) - before_s) / PAGES * 1000


async def _nothing_new_ms(port: int, cookies: list[str], server: list[int]) -> float:
    """What one «nothing new» costs, asked for without a pause, one viewer after the other."""
    viewers = [await _opened(port, cookie) for cookie in cookies]
    for viewer in viewers:
        await viewer.ask()
    before_s = cpu_s(server)
    for _ in range(ASKS_OF_EACH):
        for viewer in viewers:
            if await viewer.ask():
                raise RuntimeError("there was something new")
    return (cpu_s(server) - before_s) / (ASKS_OF_EACH * len(viewers)) * 1000


async def _session(
    port: int, cookies: list[str], server: list[int], place: Workplace, watch_s: float
) -> tuple[float, float]:
    """The share of a core that the server takes, and how long 99 of 100 answers take at most.

    Polls store messages meanwhile; raise RuntimeError where a viewer misses one.
    """
    viewers = [await _opened(port, cookie) for cookie in cookies]
    waits_s: list[float] = []
    counts = [0] * len(viewers)
    end_s = time.monotonic() + watch_s

    async def watch(number: int) -> None:
        await asyncio.sleep(PERIOD_S * number / len(viewers))
        while time.monotonic() < end_s + PERIOD_S:
            asked_s = time.monotonic()
            counts[number] += await viewers[number].ask()
            waits_s.append(time.monotonic() - asked_s)
            await asyncio.sleep(PERIOD_S)

    async def poll() -> None:
        while time.monotonic() < end_s - POLL_EVERY_S:
            await asyncio.sleep(POLL_EVERY_S)
            await asyncio.to_thread(place.manage, "poll_recent_messages")

    work: list[Coroutine[Any, Any, None]] = [watch(number) for number in range(len(viewers))]
    before_s, began_s = cpu_s(server), time.monotonic()
    await asyncio.gather(poll(), *work)
    share = (cpu_s(server) - before_s) / (time.monotonic() - began_s)
    if len(set(counts)) != 1 or not counts[0]:
        raise RuntimeError(f"the viewers saw {min(counts)} to {max(counts)} new messages")
    return share, statistics.quantiles(waits_s, n=100)[98]


def cpu_s(pids: list[int]) -> float:
    """The CPU that processes have taken so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")

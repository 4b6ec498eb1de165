"""The web side as a person meets it: its server, the replay exporter, and a headless Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.activation import SERVE

ROOT = Path(__file__).parents[2]
CHANNELS = ("111111111111111111", "222222222222222222")
# No call home: everything that Chromium does in the background is off.
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class Site:
    """A running web side with a poller beside it, on one SQLite file."""

    url: str
    environ: dict[str, str]

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def poll(self) -> None:
        self.manage("poll_recent_messages")

    def add_session(self, title: str, start_min: float, end_min: float) -> str:
        """Schedule a session relative to now; return its address."""
        now = datetime.now(UTC)
        times = [(now + timedelta(minutes=minutes)).isoformat() for minutes in (start_min, end_min)]
        channels = [word for channel in CHANNELS for word in ("--channel", channel)]
        said = self.manage(
            "session", "add", title, "--start", times[0], "--end", times[1], *channels
        )
        return f"{self.url}/sessions/{said.partition('session ')[2].partition(' ')[0]}/"


@dataclass
class Watcher:
    """Notes whatever a page must not do: errors, and requests that leave this site."""

    site: Site
    seen: list[str] = field(default_factory=list)

    def attend(self, page: Page) -> None:
        page.on("console", lambda said: self._note(said.type == "error", f"console: {said.text}"))
        page.on("pageerror", lambda error: self._note(True, f"error: {error}"))
        page.on(
            "request",
            lambda request: self._note(
                not request.url.startswith((self.site.url, "data:", "blob:")), request.url
            ),
        )

    def _note(self, is_bad: bool, what: str) -> None:
        if is_bad:
            self.seen.append(what)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, timeout_s: float = 30) -> None:
    """Wait until something listens on that port of this machine."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return
        except OSError:
            assert time.monotonic() < deadline, f"nothing listens on port {port}"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "POLLER_STATE_DIR": str(tmp_path_factory.mktemp("state")),
        "POLLER_EXPORTER": f"{sys.executable} -m messages_app.replay",
        "POLLER_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DISCORD_TOKEN": "the.test.token",
        "DJANGO_SUPERUSER_PASSWORD": "race-day-2026",
        "PYTHONPATH": str(ROOT),
    }
    site = Site(f"http://127.0.0.1:{port}", environ)
    site.manage("migrate", "--verbosity", "0")
    site.manage("createsuperuser", "--noinput", "--username", "ada", "--email", "")
    server = subprocess.Popen(
        [
            *(sys.executable, "-I", SERVE),
            *("--bind", f"127.0.0.1:{port}"),
        ],
        env=environ,
        cwd=ROOT,
    )
    try:
        wait_for(port)
        yield site
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="session")
def session_url(site: Site) -> str:
    """A session that has been live for twenty minutes and was polled."""
    url = site.add_session("24 h of Nordschleife: night stint", -20, 60)
    site.poll()
    return url


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def watcher(site: Site) -> Iterator[Watcher]:
    """Fails the test whose pages erred or asked for anything from elsewhere."""
    watcher = Watcher(site)
    yield watcher
    assert watcher.seen == []


@pytest.fixture
def context(site: Site, chromium: Browser, watcher: Watcher) -> Iterator[BrowserContext]:
    """A browser that is logged in."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.on("page", watcher.attend)
    log_in(context, site)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def log_in(context: BrowserContext, site: Site) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/login/")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("race-day-2026")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site.url}/")
    page.close()

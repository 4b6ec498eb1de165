"""How gunicorn serves the web side, which serve.py starts.

Started by systemd for a connection, it ends by itself when nobody has asked for a while, so that
a server that nobody watches costs nothing; the socket stays, and the next connection starts it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

from gunicorn.config import KNOWN_SETTINGS

IDLE_EXIT_S = 600
CHECK_EVERY_S = 15

# One process: pages are cheap, and what it keeps in memory (sessions, counts) is shared by all.
workers = 1
preload_app = True  # serve.py has loaded it, to see whether it can
worker_class = "gthread"
threads = 8
# A browser that watches asks every 3 s: its connection is kept for the next question.
keepalive = 15
timeout = 60
graceful_timeout = 20
# What was asked for is nobody's business; errors go to the journal.
accesslog = None
errorlog = "-"
loglevel = "warning"
if any(setting.name == "control_socket_disable" for setting in KNOWN_SETTINGS):
    control_socket_disable = True  # newer versions open a socket in the home folder otherwise

STARTED_BY_SYSTEMD = "LISTEN_FDS" in os.environ


class Activity:
    """Knows whether requests are under way, and since when none is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._last = time.monotonic()

    def begin(self) -> None:
        with self._lock:
            self._under_way += 1

    def end(self) -> None:
        with self._lock:
            self._under_way -= 1
            self._last = time.monotonic()

    def idle_s(self) -> float:
        with self._lock:
            return 0 if self._under_way else time.monotonic() - self._last


activity = Activity()


def post_worker_init(worker: Any) -> None:
    """Watch for idleness, where there is a systemd that starts us again."""
    if STARTED_BY_SYSTEMD:
        activity.begin()
        activity.end()  # what it took to start was no idleness
        threading.Thread(target=_leave_when_idle, args=(worker.ppid,), daemon=True).start()


def pre_request(worker: Any, req: Any) -> None:
    activity.begin()


def post_request(worker: Any, req: Any, environ: Any, resp: Any) -> None:
    activity.end()


def _leave_when_idle(master_pid: int) -> None:
    limit_s = float(os.environ.get("WEB_IDLE_EXIT_S", IDLE_EXIT_S))
    while activity.idle_s() < limit_s:
        time.sleep(min(CHECK_EVERY_S, limit_s))
    os.kill(master_pid, signal.SIGTERM)

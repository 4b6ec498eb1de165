"""Pings to a dead-man's switch, by the convention of healthchecks.io: URL/start, URL, URL/STATUS.

They are sent by a thread of their own, so that no poll waits for an answer.
"""

from __future__ import annotations

import queue
import threading
import uuid
from urllib.parse import SplitResult, urlsplit

# How long a finished run waits for its pings to be delivered, and for each answer, in seconds.
PATIENCE_S = 2.0


class Pings:
    """The pings of one run to `url`; `invocation_id` is systemd's, which joins start and end."""

    def __init__(self, url: str, invocation_id: str = "") -> None:
        self._url = urlsplit(url)
        is_one = len(invocation_id) == 32 and set(invocation_id) <= set("0123456789abcdef")
        self._run_id = str(uuid.UUID(invocation_id) if is_one else uuid.uuid4())
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._problem = ""
        self._thread = threading.Thread(target=self._deliver, daemon=True)

    def start(self) -> None:
        """Tell that the run begins; return at once."""
        self._waiting.put("start")
        self._thread.start()

    def end(self, status: int) -> str:
        """Tell how the run ended; return why that could not be delivered, "" if it was."""
        self._waiting.put(str(status) if status else "")
        self._waiting.put(None)
        self._thread.join(PATIENCE_S)
        if self._thread.is_alive():
            return f"no answer within {PATIENCE_S:g} s"
        return self._problem

    def _deliver(self) -> None:
        # Imported here, where nobody waits for it: it costs as much as a whole idle poll.
        import http.client
        import urllib.request

        while (what := self._waiting.get()) is not None:
            request = urllib.request.Request(  # noqa: S310 - the settings allow http and https only
                self._address(what), headers={"User-Agent": "discord-poller"}
            )
            try:
                urllib.request.urlopen(request, timeout=PATIENCE_S).close()  # noqa: S310
                self._problem = ""
            except (OSError, ValueError, http.client.HTTPException) as error:
                # The address is left out: whoever knows it can ping, too.
                self._problem = str(getattr(error, "reason", "") or error) or type(error).__name__

    def _address(self, what: str) -> str:
        path = f"{self._url.path.rstrip('/')}/{what}" if what else self._url.path
        query = f"{self._url.query}&" if self._url.query else ""
        return SplitResult(
            self._url.scheme, self._url.netloc, path, f"{query}rid={self._run_id}", ""
        ).geturl()

"""A dead-man's switch on loopback, which tells what it was pinged with."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Switch:
    """`url` is what to ping; `paths` are the paths of the pings, without their query."""

    def __init__(self, port: int, pings: list[str]) -> None:
        self.url = f"http://127.0.0.1:{port}/check"
        self.pings = pings

    @property
    def paths(self) -> list[str]:
        return [ping.partition("?")[0] for ping in self.pings]


@contextmanager
def switch(status: int = 200, delay_s: float = 0) -> Iterator[Switch]:
    """Run a switch that answers with `status` after `delay_s`."""
    pings: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pings.append(self.path)
            time.sleep(delay_s)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Switch(server.server_port, pings)
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()

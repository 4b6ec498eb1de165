"""Serves the web side by waitress, and holds every client to what a connection is for.

One thread reads all requests and writes all answers, so that who is slow to ask or to take costs a
connection and no thread. `tidy` ends the connections that are there for nothing but to be held.
Only an answer that is streamed can keep a thread waiting: see views/downloads.py.
"""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from waitress import create_server, wasyncore
from waitress.buffers import ReadOnlyFileBasedBuffer
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import WSGITask

from messages_app.errors import ConfigurationError
from messages_app.notify import FIRST_SOCKET, notify
from messages_app.web.peer import is_local

# Each has one file open, and a second one while it sends or gets more than OVERFLOW_BYTES: both
# fit into LimitNOFILE= of poller-web.service, and the first part of it all into its MemoryMax=.
MOST_CONNECTIONS = 1800
OVERFLOW_BYTES = 64 * 1024
# Forms are small.
MOST_HEADER_BYTES = 64 * 1024
MOST_BODY_BYTES = 512 * 1024
# A streamed answer waits for its reader once so much of it lies here.
MOST_WAITING_BYTES = 1024 * 1024
# The same of all connections together; it lies in files.
MOST_WAITING_BYTES_OF_ALL = 256 * 1024 * 1024
# For so long a connection may do nothing (a page that is open asks every 3 s).
IDLE_S = 60
# In so long a request has come whole.
REQUEST_S = 60
# Who takes less than so much of an answer in so long is let go.
STALLED_S = 30
LEAST_TAKEN_BYTES = 32 * 1024
# For so long answers that are under way are finished when the server is told to stop.
GRACE_S = 20
TICK_S = 1.0

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Task(WSGITask):  # type: ignore[misc]
    """A request and its answer."""

    def build_response_header(self) -> bytes:
        # waitress ends the connection after an answer of unknown length. One without a body ends
        # with its head: such as "nothing new", which every page that is open gets every 3 s.
        head = bytes(super().build_response_header())
        asked_to = self.request.headers.get("CONNECTION", "").lower()
        if self.has_body or self.version == "1.0" or asked_to == "close":
            return head
        self.close_on_finish = False
        return head.replace(b"\r\nConnection: close\r\n", b"\r\n", 1)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when it keeps us waiting. Times are of the monotonic clock."""

    task_class = Task
    last_served = 0.0  # of all connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.quiet_since = time.monotonic()
        self.request_since: float | None = None
        self.waits_since: float | None = None
        self.taken = 0

    def received(self, data: bytes) -> bool:
        taken = bool(super().received(data))
        self.quiet_since = time.monotonic()
        if self.request is None:
            self.request_since = None
        elif self.request_since is None:
            self.request_since = self.quiet_since
        return taken

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent = int(super().send(data, do_close=do_close))
        self.taken += sent
        return sent

    def service(self) -> None:
        # A second request that came in one piece with the first would wait in this thread until
        # the first answer is taken. No browser or proxy does that; it may ask again.
        with self.requests_lock:
            if len(self.requests) > 1:
                self.requests[0].headers["CONNECTION"] = "close"
        try:
            super().service()
        finally:
            Channel.last_served = self.quiet_since = time.monotonic()

    @property
    def is_busy(self) -> bool:
        """Whether a request of it is worked on, or an answer on its way."""
        return bool(self.requests or self.total_outbufs_len)

    def is_a_burden(self, now: float) -> bool:
        """Whether it is there for nothing any more; asked again and again, since it counts."""
        if not self.total_outbufs_len:
            self.waits_since, self.taken = None, 0
            if self.requests:
                return False
            if self.request_since is not None:
                return now - self.request_since > REQUEST_S
            return now - self.quiet_since > IDLE_S
        if self.waits_since is None:
            self.waits_since, self.taken = now, 0
        if now - self.waits_since < STALLED_S:
            return False
        is_stalled = self.taken < LEAST_TAKEN_BYTES
        self.waits_since, self.taken = now, 0
        return is_stalled


def serve(
    application: Application,
    listening: Sequence[socket.socket],
    threads: int,
    idle_exit_s: float | None,
    environ: Mapping[str, str],
) -> None:
    """Answer what comes over the open sockets, until SIGTERM or SIGINT, or so long without any."""
    # How many wait for a thread is nobody's news, and what failed is told by Django.
    logging.getLogger("waitress").setLevel(logging.ERROR)
    connections: dict[int, Any] = {}
    server = built(application, listening, threads, connections)
    stopped: list[int] = []
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _frame: stopped.append(number))
    notify(environ, "READY=1")
    Channel.last_served = time.monotonic()
    tidied = 0.0

    def turn(limit_s: float) -> None:
        """Read and write what can be read and written, for a moment at most."""
        nonlocal tidied
        with suppress(InterruptedError):
            wasyncore.loop(timeout=limit_s, use_poll=True, map=connections, count=1)
        if (now := time.monotonic()) - tidied >= TICK_S:
            tidied = now
            tidy(connections, now)

    while not stopped and not _is_idle(connections, idle_exit_s):
        turn(TICK_S)
    for door in _doors(connections):
        door.accepting = False  # who comes now waits in the socket for the next server
    deadline = time.monotonic() + GRACE_S
    while any(channel.is_busy for channel in channels(connections)):
        if time.monotonic() > deadline:
            break
        turn(0.1)
    server.task_dispatcher.shutdown(timeout=0.1)


def built(
    application: Application,
    listening: Sequence[socket.socket],
    threads: int,
    connections: dict[int, Any],
) -> Any:
    """waitress's server, which keeps itself and all that is connected to it in `connections`."""
    server = create_server(
        prepared(application),
        map=connections,
        sockets=list(listening),
        threads=threads,
        ident=None,
        backlog=512,
        asyncore_use_poll=True,
        connection_limit=MOST_CONNECTIONS,
        inbuf_overflow=OVERFLOW_BYTES,
        outbuf_overflow=OVERFLOW_BYTES,
        outbuf_high_watermark=MOST_WAITING_BYTES,
        max_request_header_size=MOST_HEADER_BYTES,
        max_request_body_size=MOST_BODY_BYTES,
        log_socket_errors=False,
        clear_untrusted_proxy_headers=False,  # `prepared` does
    )
    for door in _doors(connections):
        door.channel_class = Channel
    return server


def _doors(connections: Mapping[int, Any]) -> list[BaseWSGIServer]:
    return [each for each in connections.values() if isinstance(each, BaseWSGIServer)]


def channels(connections: Mapping[int, Any]) -> list[Channel]:
    return [each for each in connections.values() if isinstance(each, Channel)]


def tidy(connections: Mapping[int, Any], now: float) -> None:
    """End the connections that hold us up, and the quietest where there are too many."""
    open_ones = channels(connections)
    for channel in open_ones:
        if channel.is_a_burden(now):
            channel.handle_close()
    if len(connections) >= MOST_CONNECTIONS:
        waiting = [channel for channel in open_ones if channel.connected and not channel.is_busy]
        waiting.sort(key=lambda channel: channel.quiet_since)
        for channel in waiting[: MOST_CONNECTIONS // 10]:
            channel.handle_close()
    total = sum(channel.total_outbufs_len for channel in open_ones)
    for channel in sorted(open_ones, key=lambda channel: -channel.total_outbufs_len):
        if total <= MOST_WAITING_BYTES_OF_ALL:
            break
        total -= channel.total_outbufs_len
        channel.handle_close()


def prepared(application: Application) -> Application:
    """`application`, told that a request came over TLS where a proxy on this host says so.

    What breaks off in the middle of an answer is told in the journal like all other failures.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        scheme = environ.pop("HTTP_X_FORWARDED_PROTO", "").strip().lower()
        if is_local(environ.get("REMOTE_ADDR", "")):
            if scheme == "https":
                environ["wsgi.url_scheme"] = scheme
        else:
            environ.pop("HTTP_X_FORWARDED_FOR", None)
        parts = application(environ, start_response)
        return parts if isinstance(parts, ReadOnlyFileBasedBuffer) else _Answer(parts)

    return answer


class _Answer:
    """The parts of an answer, as WSGI wants them."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = parts
        self._iterator = iter(parts)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._iterator)
        except StopIteration:
            raise
        except Exception:
            logging.getLogger("django.request").exception("An answer broke off.")
            # What waitress bears without words: the connection ends, and the client sees it.
            raise ClientDisconnected from None

    def close(self) -> None:
        if close := getattr(self._parts, "close", None):
            close()


def _is_idle(connections: Mapping[int, Any], limit_s: float | None) -> bool:
    if limit_s is None or time.monotonic() - Channel.last_served < limit_s:
        return False
    return not any(channel.is_busy for channel in channels(connections))


def open_sockets(environ: Mapping[str, str], address: tuple[str, int]) -> list[socket.socket]:
    """Those that systemd has opened for us, or one at `address`; raise ConfigurationError."""
    if count := int(environ.get("LISTEN_FDS", "0")):
        return [socket.socket(fileno=FIRST_SOCKET + number) for number in range(count)]
    host, port = address
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [socket.create_server(address, family=family)]
    except OSError as error:
        raise ConfigurationError(
            f"The pages cannot listen on {host}:{port} ({error.strerror}): name another port."
        ) from None

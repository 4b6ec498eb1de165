"""When the server ends a connection: real sockets, and a clock that the test turns."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from waitress import wasyncore

from messages_app.web.server import (
    IDLE_S,
    LEAST_TAKEN_BYTES,
    REQUEST_S,
    STALLED_S,
    Channel,
    built,
    channels,
    prepared,
    tidy,
)

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
ASK_ONCE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LARGE = b"x" * 30_000_000  # more than the kernel takes off the server's hands


class House:
    """A server that this test drives, and one client of it."""

    def __init__(self) -> None:
        self.connections: dict[int, Any] = {}
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.server = built(self.answer, [self.listening], 1, self.connections)
        self.status, self.body = "200 OK", b"hello"
        self.seen: list[dict[str, Any]] = []
        self.client = socket.create_connection(self.listening.getsockname()[:2], timeout=10)
        self.now = time.monotonic()

    def answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        self.seen.append(environ)
        length = [("Content-Length", str(len(self.body)))] if self.body else []
        start_response(self.status, length)
        return [self.body]

    def channel(self) -> Channel:
        """The client's connection as the server has it."""
        self.turn_until(lambda: bool(channels(self.connections)))
        return channels(self.connections)[0]

    def turn_until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < deadline
            wasyncore.loop(timeout=0.05, use_poll=True, map=self.connections, count=1)

    def after(self, seconds: float) -> bool:
        """Whether the connection is open still when so much more time has passed."""
        self.now += seconds
        tidy(self.connections, self.now)
        return bool(channels(self.connections))

    def close(self) -> None:
        self.client.close()
        wasyncore.close_all(self.connections)
        self.server.task_dispatcher.shutdown()
        self.listening.close()


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


def test_a_connection_that_does_nothing_is_kept_for_a_while(house: House) -> None:
    house.channel()
    assert house.after(IDLE_S - 5)
    assert not house.after(10)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_connection_outlasts_an_answer_without_a_body_unless_it_is_asked_to_end(
    house: House, status: str
) -> None:
    house.status, house.body = status, b""
    house.channel()
    for ask, is_open in ((ASK, True), (ASK, True), (ASK_ONCE, False)):
        count = len(house.seen)
        house.client.sendall(ask)
        house.turn_until(lambda: len(house.seen) > count)  # noqa: B023 - used at once
        house.turn_until(lambda: not any(each.is_busy for each in channels(house.connections)))
        answer = house.client.recv(10_000)
        assert answer.startswith(f"HTTP/1.1 {status}\r\n".encode())
        assert (b"Connection: close" not in answer) == is_open
    house.turn_until(lambda: not channels(house.connections))
    assert house.client.recv(1) == b""


def test_a_request_that_comes_byte_by_byte_must_come_whole_in_time(house: House) -> None:
    channel = house.channel()
    for byte in (b"G", b"E", b"T"):
        before = channel.quiet_since
        house.client.sendall(byte)
        house.turn_until(lambda: channel.quiet_since > before)  # noqa: B023 - used at once
    assert house.after(REQUEST_S - 5)
    assert not house.after(10)


def test_a_reader_who_takes_nothing_is_let_go_and_one_who_takes_is_not(house: House) -> None:
    house.body = LARGE
    channel = house.channel()
    house.client.sendall(ASK)
    house.turn_until(lambda: channel.total_outbufs_len > 0 and not channel.requests)
    assert house.after(1)
    for _ in range(3):
        before = channel.taken
        while channel.taken < before + LEAST_TAKEN_BYTES:
            house.client.recv(1_000_000)
            wasyncore.loop(timeout=0.05, use_poll=True, map=house.connections, count=1)
        assert house.after(STALLED_S + 1)
    assert not house.after(STALLED_S + 1)


def test_an_answer_that_takes_long_to_make_is_waited_for(house: House) -> None:
    channel = house.channel()
    channel.requests = [object()]
    assert house.after(1000)
    channel.requests = []


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n", ("https", "192.0.2.1")),
        (b"X_Forwarded_Proto: https\r\nX_Forwarded_For: 192.0.2.1\r\n", ("http", None)),
    ],
    ids=["hyphens", "underscores"],
)
def test_a_proxy_is_believed_and_headers_with_underscores_are_not(
    house: House, head: bytes, expected: tuple[str, str | None]
) -> None:
    house.client.sendall(ASK.replace(b"\r\n\r\n", b"\r\n" + head + b"\r\n"))
    house.turn_until(lambda: bool(house.seen))
    environ = house.seen[0]
    assert (environ["wsgi.url_scheme"], environ.get("HTTP_X_FORWARDED_FOR")) == expected


def test_what_a_stranger_says_about_his_connection_is_not_believed() -> None:
    seen: list[dict[str, Any]] = []

    def application(environ: dict[str, Any], _start: Callable[..., Any]) -> Iterable[bytes]:
        seen.append(environ)
        return []

    told = {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}
    for peer in ("198.51.100.1", "127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost", ""):
        environ = {"REMOTE_ADDR": peer, "wsgi.url_scheme": "http", **told}
        prepared(application)(environ, lambda *_: None)
    assert [each["wsgi.url_scheme"] for each in seen] == ["http", *["https"] * 5]
    assert "HTTP_X_FORWARDED_FOR" not in seen[0]

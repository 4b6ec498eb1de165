"""Clients that open connections and then do nothing with them stop nobody else."""

from __future__ import annotations

import pytest

from messages_app.web.server import MOST_CONNECTIONS
from messages_app.web.views.downloads import AT_ONCE
from tests.attack.attacker import Target, request_line

PAGE, DOWNLOAD = "/sessions/1/", "/sessions/1/download/jsonl/"
SLOW_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
SLOW_BODY = (
    b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\nusername=a"
)


def everybody_else_is_answered(target: Target) -> None:
    for path in ("/", PAGE, "/api/sessions/", "/login/", "/static/web/mark.svg"):
        assert target.get(path)[0] == 200, path


@pytest.mark.parametrize("first", [b"", SLOW_HEAD, SLOW_BODY], ids=["nothing", "head", "body"])
@pytest.mark.parametrize("clients", [8, 200])
def test_clients_that_do_not_finish_their_requests(
    target: Target, first: bytes, clients: int
) -> None:
    for _ in range(clients):
        target.hold(first)
    everybody_else_is_answered(target)


@pytest.mark.parametrize("path", [PAGE, DOWNLOAD], ids=["page", "download"])
def test_clients_that_take_nothing_of_their_answers(target: Target, path: str) -> None:
    for _ in range(40):
        target.wait_for_first_byte(target.hold(request_line(path), slowly=True))
    everybody_else_is_answered(target)


def test_clients_that_ask_for_many_pages_in_one_piece(target: Target) -> None:
    for _ in range(16):
        target.hold(request_line(PAGE) * 60, slowly=True)
    for _ in range(60):  # in turn with theirs
        everybody_else_is_answered(target)


def test_downloads_beyond_those_that_are_served_at_once_are_told_to_come_back(
    target: Target,
) -> None:
    for _ in range(AT_ONCE):
        target.wait_for_first_byte(target.hold(request_line(DOWNLOAD), slowly=True))
    status, body = target.get(DOWNLOAD)
    assert (status, b"download" in body) == (503, True)
    target.close()
    everybody_else_is_answered(target)


def test_eleven_hundred_idle_connections(target: Target) -> None:
    for _ in range(1100):
        target.hold()
    everybody_else_is_answered(target)


def test_more_connections_than_the_server_has_room_for(target: Target) -> None:
    for _ in range(MOST_CONNECTIONS + 200):
        target.hold()
    everybody_else_is_answered(target)

"""Pings to a dead-man's switch."""

from __future__ import annotations

import socket
import time
import uuid

import pytest

from messages_app.reporting.ping import PATIENCE_S, Pings
from tests.builders import make_feed, make_session, settle_database
from tests.commands import Manage
from tests.reporting.switch import switch


def pinged(url: str, status: int, invocation_id: str = "") -> str:
    """Ping as one run does; return the problem."""
    pings = Pings(url, invocation_id)
    pings.start()
    return pings.end(status)


def test_a_run_pings_its_start_and_its_success() -> None:
    with switch() as service:
        assert pinged(service.url, 0) == ""
    assert service.paths == ["/check/start", "/check"]


def test_a_failed_run_pings_its_exit_status() -> None:
    with switch() as service:
        assert pinged(service.url, 77) == ""
    assert service.paths == ["/check/start", "/check/77"]


def test_start_and_end_carry_the_id_of_the_run() -> None:
    invocation_id = uuid.uuid4().hex
    with switch() as service:
        pinged(service.url, 0, invocation_id)
    expected = f"rid={uuid.UUID(invocation_id)}"
    assert [ping.partition("?")[2] for ping in service.pings] == [expected, expected]


def test_a_strange_invocation_id_is_replaced() -> None:
    with switch() as service:
        assert pinged(service.url, 0, "by hand") == ""
    assert "by hand" not in service.pings[0]


def test_a_query_of_the_address_is_kept() -> None:
    with switch() as service:
        pinged(f"{service.url}/?create=1", 69)
    assert service.pings[1].startswith("/check/69?create=1&rid=")


def test_a_refusal_is_told_without_the_address() -> None:
    with switch(status=404) as service:
        problem = pinged(service.url, 0)
    assert problem
    assert "check" not in problem


def test_nobody_who_listens_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "refused" in pinged(f"http://127.0.0.1:{port}/check", 0)


def test_a_service_that_does_not_answer_delays_a_run_by_two_seconds_at_most() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        pings = Pings(f"http://127.0.0.1:{deaf.getsockname()[1]}/check")
        started = time.monotonic()
        pings.start()
        assert time.monotonic() - started < 0.5, "starting waits for nothing"
        assert pings.end(0)
        assert time.monotonic() - started < PATIENCE_S + 0.5


@pytest.mark.parametrize(("fault", "status"), [("", 0), ("not-found", 69), ("garbage", 65)])
def test_a_poll_pings_what_it_came_to(manage: Manage, fault: str, status: int) -> None:
    make_feed(make_session(end_time="2100-01-01T00:00Z"))
    with switch() as service:
        settings = {"POLLER_PING_URL": service.url, "POLLER_RUN_BUDGET": "1"}
        manage("poll_recent_messages", status=status, REPLAY_FAULT=fault, **settings)
    assert service.paths == ["/check/start", f"/check/{status}" if status else "/check"]


def test_a_configuration_that_does_not_allow_to_poll_is_pinged(manage: Manage) -> None:
    make_feed(make_session(end_time="2100-01-01T00:00Z"))
    with switch() as service:
        settings = {"POLLER_PING_URL": service.url, "POLLER_EXPORTER": "/nowhere"}
        manage("poll_recent_messages", status=78, **settings)
    assert service.paths == ["/check/start", "/check/78"]


def test_a_switch_that_fails_does_not_fail_the_poll(manage: Manage) -> None:
    with switch(status=500) as service:
        output = manage("poll_recent_messages", POLLER_PING_URL=service.url)
    assert "was not delivered" in output
    assert service.url not in output


def test_idle_runs_ping_every_few_minutes_only(manage: Manage) -> None:
    with switch() as service:
        for _ in range(3):
            settle_database()
            manage("poll_recent_messages", POLLER_PING_URL=service.url)
    assert service.paths == ["/check/start", "/check"]


def test_an_idle_run_pings_again_where_the_last_ping_was_lost(manage: Manage) -> None:
    with switch(status=500) as service:
        for _ in range(2):
            manage("poll_recent_messages", POLLER_PING_URL=service.url)
    assert len(service.paths) == 4

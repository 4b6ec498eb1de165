"""The timer's health, from what `systemctl show` printed on real machines (systemd 252, 257)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from messages_app.reporting.timer import TimerHealth, TimerState, parse_timer

NOW = datetime(2026, 11, 23, 16, 40, 54, tzinfo=UTC)
MONOTONIC_S = 2866.2


def shown(
    load: str = "loaded",
    enabled: str = "enabled",
    active: str = "active",
    sub: str = "waiting",
    monotonic: str = "infinity",
    realtime: str = "",
    service: str = "Result=success\nExecMainStatus=0\nActiveState=inactive",
) -> str:
    return (
        f"NextElapseUSecRealtime={realtime}\nNextElapseUSecMonotonic={monotonic}\nResult=success\n"
        f"Id=poller.timer\nLoadState={load}\nActiveState={active}\nSubState={sub}\n"
        f"UnitFileState={enabled}\n\n{service}\nId=poller.service\nLoadState=loaded\n"
    )


def health(text: str) -> TimerHealth:
    return parse_timer(text, NOW, MONOTONIC_S)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (shown(monotonic="47min 54.136813s"), TimerState.WAITING),
        (shown(sub="running"), TimerState.RUNNING),
        (shown(sub="elapsed"), TimerState.DEAD),
        (shown(active="inactive", sub="dead"), TimerState.STOPPED),
        (shown(enabled="enabled-runtime", active="inactive", sub="dead"), TimerState.STOPPED),
        (shown(enabled="disabled", active="inactive", sub="dead"), TimerState.OFF),
        (shown(load="not-found", enabled="", active="inactive", sub="dead"), TimerState.MISSING),
        ("", TimerState.MISSING),
    ],
)
def test_the_state_is_told_from_what_systemd_shows(text: str, state: TimerState) -> None:
    assert health(text).state is state


def test_a_monotonic_elapse_is_turned_into_an_instant() -> None:
    next_elapse = health(shown(monotonic="47min 54.2s")).next_elapse
    assert next_elapse is not None
    assert abs(next_elapse - (NOW + timedelta(seconds=8))) < timedelta(milliseconds=1)


def test_a_span_of_days_is_read_whole() -> None:
    next_elapse = health(shown(monotonic="1month 2d 3h 4min 5s 6ms 7us")).next_elapse
    expected = 2629800 + 2 * 86400 + 3 * 3600 + 245.006007 - MONOTONIC_S
    assert next_elapse is not None
    assert (next_elapse - NOW).total_seconds() == pytest.approx(expected)


def test_a_calendar_timer_of_the_operators_counts_too() -> None:
    found = health(shown(monotonic="0", realtime="Tue 2026-11-24 00:00:00 UTC"))
    assert found.state is TimerState.WAITING
    assert found.next_elapse == datetime(2026, 11, 24, tzinfo=UTC)


def test_the_last_run_is_told_with_its_status() -> None:
    service = (
        "Result=exit-code\nExecMainStartTimestamp=Mon 2026-11-23 16:40:54 UTC\n"
        "ExecMainStatus=78\nActiveState=failed\nStatusText=No token = no poll."
    )
    found = health(shown(monotonic="49min", service=service))
    assert (found.last_run, found.last_result, found.last_status) == (NOW, "exit-code", 78)
    assert found.last_sentence == "No token = no poll."


def test_a_killed_run_has_a_result_but_no_status() -> None:
    service = "Result=timeout\nExecMainStartTimestamp=\nExecMainStatus=15\nActiveState=failed"
    found = health(shown(service=service))
    assert (found.last_result, found.last_status) == ("timeout", None)


def test_a_run_that_still_runs_has_no_result_yet() -> None:
    service = "Result=success\nExecMainStatus=0\nActiveState=activating"
    assert health(shown(sub="running", service=service)).last_result == ""

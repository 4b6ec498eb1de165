"""Whether poller.timer will fire again, as systemd tells: the one thing no failed unit shows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path

TIMER, SERVICE = "poller.timer", "poller.service"
# systemd answers within milliseconds; one that hangs must not take the status screen with it.
PATIENCE_S = 5
_PROPERTIES = (
    "Id",
    "LoadState",
    "UnitFileState",
    "ActiveState",
    "SubState",
    "NextElapseUSecRealtime",
    "NextElapseUSecMonotonic",
    "Result",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "StatusText",
)
_UNIT_SECONDS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "month": 2629800.0,
    "y": 31557600.0,
}


class TimerState(Enum):
    """What can be said of the timer; the values are those of the JSON status and of metrics."""

    UNKNOWN = "unknown"  # no systemd here, or it does not answer
    MISSING = "missing"  # systemd knows no such timer: something else starts the polls
    OFF = "off"  # disabled and stopped
    STOPPED = "stopped"  # enabled, but stopped: it starts again with the machine
    DEAD = "dead"  # it looks healthy and will never fire again
    WAITING = "waiting"
    RUNNING = "running"  # a poll runs now

    @property
    def words(self) -> str:
        """What a person reads of it, on the screen of `status` and on the page."""
        return {
            TimerState.UNKNOWN: "not known, systemd does not run here or does not answer",
            TimerState.MISSING: "not installed here, something else must start the polls",
            TimerState.OFF: "off",
            TimerState.STOPPED: "STOPPED",
            TimerState.DEAD: "DEAD, it will never fire again",
            TimerState.WAITING: "waiting",
            TimerState.RUNNING: "a poll runs now",
        }[self]


@dataclass(frozen=True)
class TimerHealth:
    """The timer, and the last run of its service.

    `next_elapse` is None where none is known; `last_run` is when the last run began, idle ones
    included, and `last_status` its exit status, None where it has not ended or was killed;
    `last_sentence` is what the run told systemd, empty where it could not.
    """

    state: TimerState
    next_elapse: datetime | None = None
    last_run: datetime | None = None
    last_result: str = ""
    last_status: int | None = None
    last_sentence: str = ""

    @property
    def will_fire(self) -> bool:
        return self.state in (TimerState.WAITING, TimerState.RUNNING)


def read_timer(now: datetime, monotonic_s: float) -> TimerHealth:
    """Ask systemd; `monotonic_s` is what `time.monotonic()` says at `now`."""
    if not Path("/run/systemd/system").is_dir():
        return TimerHealth(TimerState.UNKNOWN)
    try:
        answer = subprocess.run(
            ["systemctl", "show", f"--property={','.join(_PROPERTIES)}", TIMER, SERVICE],
            capture_output=True,
            encoding="utf-8",  # whatever the locale is: the unit's status names the session
            errors="replace",
            check=True,
            timeout=PATIENCE_S,
            env={"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": "/usr/bin:/bin"},
        )
    except (OSError, subprocess.SubprocessError):
        return TimerHealth(TimerState.UNKNOWN)
    return parse_timer(answer.stdout, now, monotonic_s)


def parse_timer(shown: str, now: datetime, monotonic_s: float) -> TimerHealth:
    """Given what `systemctl show` printed of timer and service, return the timer's health."""
    units = {unit.get("Id", ""): unit for unit in map(_properties, shown.split("\n\n"))}
    timer, service = units.get(TIMER, {}), units.get(SERVICE, {})
    next_elapse = _next_elapse(timer, now, monotonic_s)
    ended = service.get("ActiveState") not in ("activating", "deactivating")
    result = service.get("Result", "") if ended else ""
    return TimerHealth(
        _state(timer, next_elapse),
        next_elapse,
        _instant(service.get("ExecMainStartTimestamp", "")),
        result,
        int(service["ExecMainStatus"]) if result in ("success", "exit-code") else None,
        service.get("StatusText", ""),
    )


def _properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _state(timer: Mapping[str, str], next_elapse: datetime | None) -> TimerState:
    if timer.get("LoadState") != "loaded":
        return TimerState.MISSING
    is_enabled = timer.get("UnitFileState", "").startswith("enabled")
    if timer.get("ActiveState") != "active":
        return TimerState.STOPPED if is_enabled else TimerState.OFF
    if timer.get("SubState") == "running":
        return TimerState.RUNNING
    return TimerState.WAITING if next_elapse else TimerState.DEAD


def _next_elapse(timer: Mapping[str, str], now: datetime, monotonic_s: float) -> datetime | None:
    """The earlier of the two clocks' next elapses; None where neither has one."""
    at = [_instant(timer.get("NextElapseUSecRealtime", ""))]
    since_boot_s = span_seconds(timer.get("NextElapseUSecMonotonic", ""))
    if since_boot_s is not None:
        at.append(now + timedelta(seconds=since_boot_s - monotonic_s))
    return min((instant for instant in at if instant), default=None)


def _instant(text: str) -> datetime | None:
    """`Mon 2026-11-23 16:39:00 UTC`, which is how systemd writes an instant; None for nothing."""
    match = re.fullmatch(r"\w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", text)
    return datetime.fromisoformat(f"{match[1]}+00:00") if match else None


def span_seconds(text: str) -> float | None:
    """A span as systemd writes it (`1d 3h 2min 1.5s`), or None for `infinity` and nothing."""
    parts = re.findall(r"([\d.]+)([a-z]+)", text)
    if not parts or any(unit not in _UNIT_SECONDS for _, unit in parts):
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)

"""The host: its clock, the timer, what the service may have, the journal, the settings."""

from __future__ import annotations

import ctypes
import difflib
import importlib.util
import os
import struct
import subprocess
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from messages_app.doctor.finding import Finding, bad, good, skipped
from messages_app.environment import ROWS, Settings
from messages_app.errors import ConfigurationError
from messages_app.exporter.choice import choice
from messages_app.reporting.sessions import duration
from messages_app.reporting.timer import SERVICE, TimerHealth, TimerState, span_seconds

# The kernel's word for a clock that nothing keeps right: an error of 16 s or more (adjtimex(2)).
UNSYNCHRONISED_US = 16_000_000
# What storing an export may take, on top of exporting it.
STORING_S = 40
# What an exporter may need, and this program beside it; poller.service has it for four of them.
MEMORY_OF_ONE, TASKS_OF_ONE = 512 * 1024**2, 100
_TIMEX_BYTES = 512  # more than the structure has on any architecture


def check_configuration(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Which settings are set? Unknown POLLER_ names never get this far; here are near misses."""
    ours = sorted(name for name in environ if name in ROWS)
    close = {
        name: matches[0]
        for name in environ
        if name not in ROWS and (matches := difflib.get_close_matches(name, ROWS, 1, 0.9))
    }
    for name, meant in close.items():
        yield bad("settings", f"{name} is set, which means nothing here: is {meant} meant?")
    if not close:
        yield good("settings", f"set: {', '.join(ours)}" if ours else "all are the defaults")


def check_clock() -> Finding:
    """Does something keep the clock right? Windows are asked for by it."""
    error_us = _clock_error_us()
    if error_us is None:
        return skipped("clock", "the kernel does not tell whether it is synchronised")
    if error_us >= UNSYNCHRONISED_US:
        return bad(
            "clock",
            "The clock is not synchronised: run `timedatectl set-ntp true`, or install chrony.",
        )
    return good("clock", f"synchronised, within {max(error_us // 1000, 1)} ms")


def check_timer(timer: TimerHealth, now: datetime) -> Finding:
    """Is the timer on, and will it fire again?"""
    if timer.state == TimerState.WAITING and timer.next_elapse:
        return good("timer", f"on, the next poll is in {duration(timer.next_elapse - now)}")
    if timer.will_fire:
        return good("timer", "on, a poll runs now")
    if timer.state == TimerState.UNKNOWN:
        return skipped("timer", "systemd does not run here or does not answer")
    if timer.state == TimerState.MISSING:
        return skipped("timer", "not installed here, something else must start the polls")
    words = {
        TimerState.OFF: "poller.timer is off: run `systemctl enable --now poller.timer`.",
        TimerState.STOPPED: "poller.timer is stopped: run `systemctl start poller.timer`.",
    }
    dead = (
        "poller.timer is on and will never fire again: run `systemctl restart poller.timer`; if "
        "it stays so, its OnBootSec= is missing (`systemctl cat poller.timer`)."
    )
    return bad("timer", words.get(timer.state, dead))


def check_time_limit(settings: Settings) -> Finding:
    """Does systemd give a run the time that the settings allow it?"""
    limit_s = _service_limit_s()
    if limit_s is None:
        return skipped("time limit", "systemd does not tell of one for poller.service")
    needed_s = settings.run_budget_s + settings.export_timeout_s + STORING_S
    if limit_s < needed_s:
        return bad(
            "time limit",
            f"systemd ends a run after {limit_s:.0f} s, and POLLER_RUN_BUDGET and "
            f"POLLER_EXPORT_TIMEOUT allow {needed_s} s: raise TimeoutStartSec= with `systemctl "
            "edit poller.service`.",
        )
    return good("time limit", f"systemd gives a run {limit_s:.0f} s, it may need {needed_s} s")


def check_room(settings: Settings) -> Finding:
    """May the exporters that run side by side have what they need of memory and tasks?"""
    limits = _service("MemoryMax", "TasksMax")
    if not limits or choice(settings).is_builtin:
        return skipped("room", "no exporters of a limited service run here")
    parallel = settings.parallel
    needed = {
        "MemoryMax": (parallel + 1) * MEMORY_OF_ONE,
        "TasksMax": (parallel + 1) * TASKS_OF_ONE,
    }
    told = {name: limits.get(name, "") for name in needed}
    for name, least in needed.items():
        if told[name].isdecimal() and int(told[name]) < least:
            enough = f"{least // 1024**2}M" if name == "MemoryMax" else f"{least}"
            return bad(
                "room",
                f"POLLER_PARALLEL={parallel} exporters need more than poller.service may have: set "
                f"{name}={enough} with `systemctl edit poller.service`.",
            )
    return good("room", f"enough memory and tasks for {parallel} exporters at once")


def check_libraries(settings: Settings) -> Iterator[Finding]:
    """Are the optional libraries there that the settings ask for?"""
    if _is_there("systemd"):
        yield good("journal", "records with fields")
    else:
        yield skipped("journal", "plain lines only; python3-systemd adds fields")
    try:
        settings.metrics_token()
    except ConfigurationError as error:
        yield bad("metrics", str(error))
    path = settings.metrics_textfile
    if not path:
        return
    folder = Path(path).parent
    if not _is_there("prometheus_client"):
        yield bad("metrics", f"{path} needs python3-prometheus-client: install it.")
    elif not os.access(folder, os.W_OK):
        yield bad("metrics", f"{folder} cannot be written by this user: check who may write it.")
    else:
        yield good("metrics", f"{path} can be written")


def _is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _clock_error_us() -> int | None:
    """The kernel's estimate of the clock's error in microseconds, None where it does not tell."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
            return None
    except (OSError, AttributeError):
        return None
    # After `modes`, an unsigned int padded to a long: offset, freq, maxerror.
    _modes, _offset, _freq, maximal_error = struct.unpack_from("@Llll", timex.raw)
    return int(maximal_error)


def _service_limit_s() -> float | None:
    return span_seconds(_service("TimeoutStartUSec").get("TimeoutStartUSec", ""))


def _service(*names: str) -> dict[str, str]:
    """What systemd says of these properties of poller.service; nothing where there is none."""
    if not Path("/run/systemd/system").is_dir():
        return {}
    try:
        shown = subprocess.run(
            ["systemctl", "show", f"--property=LoadState,{','.join(names)}", SERVICE],
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return values if values.get("LoadState") == "loaded" else {}

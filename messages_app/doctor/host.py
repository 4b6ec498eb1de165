"""The host: its clock, the timer, the service's time limit, the journal, the settings."""

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
from messages_app.environment import NAMES, Settings
from messages_app.errors import ConfigurationError
from messages_app.reporting.sessions import duration
from messages_app.reporting.timer import SERVICE, TimerHealth, TimerState, span_seconds

# The kernel's word for a clock that nothing keeps right: an error of 16 s or more (adjtimex(2)).
UNSYNCHRONISED_US = 16_000_000
# What storing an export may take, on top of exporting it.
STORING_S = 40
_TIMEX_BYTES = 512  # more than the structure has on any architecture


def check_configuration(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Which settings are set? Unknown POLLER_ names never get this far; here are near misses."""
    ours = sorted(name for name in environ if name in NAMES)
    close = {
        name: matches[0]
        for name in environ
        if name not in NAMES and (matches := difflib.get_close_matches(name, NAMES, 1, 0.9))
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
    if not Path("/run/systemd/system").is_dir():
        return None
    try:
        shown = subprocess.run(
            ["systemctl", "show", "--property=LoadState,TimeoutStartUSec", SERVICE],
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if values.get("LoadState") != "loaded":
        return None
    return span_seconds(values.get("TimeoutStartUSec", ""))

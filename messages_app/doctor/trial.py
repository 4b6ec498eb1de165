"""The exporter tried where the service runs it, and what it means that it works or fails there.

A check from a root shell proves nothing about the service's sandbox. So the command discord-poller
makes a unit out of poller.service as it stands, with `doctor` as its command and DOCTOR_TRIAL in
its environment; there it writes what it finds as lines of JSON. The doctor that was asked for
examines the rest meanwhile, and reads that file, DOCTOR_TRIAL_FILE, up to its last line,
`end STATUS`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from messages_app.doctor.exporting import channels_to_try, check_channels, check_exporter
from messages_app.doctor.finding import Finding, State, bad
from messages_app.doctor.runtime_calls import refused_calls
from messages_app.environment import Settings

# In the trial's environment: OFFLINE where Discord is not to be asked.
TRIAL, OFFLINE = "DOCTOR_TRIAL", "offline"
TRIAL_FILE = "DOCTOR_TRIAL_FILE"
_PAUSE_S = 0.1
_SERVICE = "poller.service"


@dataclass
class Trial:
    """What was found in the service's sandbox.

    `exporter` is None where the trial ended before it came to that, and `status` is how it ended.
    """

    exporter: Finding | None = None
    channels: list[Finding] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    status: int = 0


def trial_lines(settings: Settings, environ: Mapping[str, str], now: datetime) -> Iterator[str]:
    """What the trial writes: the refused calls, the exporter, and each channel that was tried."""
    yield json.dumps({"refused": refused_calls()})
    exporter = check_exporter(settings, environ)
    yield _line(exporter)
    if exporter.state is State.BAD or environ[TRIAL] == OFFLINE:
        return
    for finding in check_channels(settings, environ, channels_to_try(settings, now), now):
        yield _line(finding)


def _line(finding: Finding) -> str:
    return json.dumps(asdict(finding) | {"state": finding.state.value})


def read_trial(path: Path, limit_s: float, sleep: Callable[[float], None] = time.sleep) -> Trial:
    """Wait for the last line of a trial's file, for `limit_s` seconds at most, and read it."""
    for _ in range(round(limit_s / _PAUSE_S)):
        text = path.read_text(encoding="utf-8")
        if text.endswith("\n") and text.splitlines()[-1].startswith("end "):
            break
        sleep(_PAUSE_S)
    trial = Trial(status=int(text.rpartition("end ")[2] or 1) if "end " in text else 1)
    for line in text.splitlines():
        if line.startswith("{"):
            _take_in(json.loads(line), trial)
    return trial


def _take_in(told: dict[str, object], trial: Trial) -> None:
    if "refused" in told:
        refused = told["refused"]
        assert isinstance(refused, list)
        trial.refused = [str(call) for call in refused]
        return
    finding = Finding(str(told["subject"]), State(told["state"]), str(told["sentence"]))
    if finding.subject == "exporter":
        trial.exporter = finding
    else:
        trial.channels.append(finding)


def exporter_finding(outside: Finding, trial: Trial, refused_outside: list[str]) -> Finding:
    """What to say of an exporter that was tried without the sandbox and in it."""
    inside = trial.exporter
    if inside is None:
        return bad(
            "exporter",
            f"It cannot be tried where {_SERVICE} runs it, for that does not start (status "
            f"{trial.status}): `journalctl -u 'discord-poller-trial-*'` tells why.",
        )
    if inside.state is State.GOOD:
        return Finding(
            "exporter", State.GOOD, f"{inside.sentence}, in the sandbox of {_SERVICE}, too"
        )
    if outside.state is State.BAD:
        return inside
    walls = [call for call in trial.refused if call not in refused_outside]
    cause = f": the sandbox refuses {', '.join(walls)}" if walls else ""
    return bad(
        "exporter",
        f"It runs by itself, but not where {_SERVICE} runs it{cause}. There: {inside.sentence} "
        f"`systemctl cat {_SERVICE}` shows the sandbox, drop-ins included.",
    )

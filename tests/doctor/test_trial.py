"""The exporter in the service's sandbox: what a trial there writes, and what is made of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from messages_app.doctor import runtime_calls, trial
from messages_app.doctor.finding import Finding, State, bad, good
from messages_app.doctor.trial import Trial, exporter_finding, read_trial, trial_lines
from messages_app.environment import Settings
from tests.builders import at, make_feed, make_session
from tests.commands import REPLAY, Manage

FINE = good("exporter", "exporter, version 2.47")
BROKEN = bad("exporter", "exporter does not tell its version (status 137).")


def written(tmp_path: Path, lines: list[str], end: str = "end 0") -> Path:
    path = tmp_path / "lines"
    path.write_text("".join(f"{line}\n" for line in [*lines, end]))
    return path


@pytest.mark.django_db
def test_a_trial_tries_the_exporter_and_each_channel(tmp_path: Path) -> None:
    make_feed(make_session(), channel_id=201)
    environ = {**os.environ, "DISCORD_TOKEN": "the.test.token", "DOCTOR_TRIAL": "online"}
    environ |= {"POLLER_EXPORTER": REPLAY, "POLLER_STATE_DIR": str(tmp_path)}

    lines = list(trial_lines(Settings(environ), environ, at(1)))

    found = read_trial(written(tmp_path, lines), 1)
    assert found.refused == []
    assert found.exporter
    assert found.exporter.state is State.GOOD
    assert [each.state for each in found.channels] == [State.GOOD]


@pytest.mark.django_db
def test_a_trial_offline_or_without_an_exporter_tries_no_channel(tmp_path: Path) -> None:
    make_feed(make_session(), channel_id=201)
    state = {"POLLER_STATE_DIR": str(tmp_path)}
    for environ in (
        {"POLLER_EXPORTER": REPLAY, "DOCTOR_TRIAL": "offline"},
        {"POLLER_EXPORTER": "/nowhere", "DOCTOR_TRIAL": "online"},
    ):
        whole = {**os.environ, **state, **environ}
        assert len(list(trial_lines(Settings(whole), whole, at(1)))) == 2


def test_a_trial_is_read_once_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("")
    pauses = []

    def pause(length_s: float) -> None:
        pauses.append(length_s)
        path.write_text("of a program\n" + trial._line(BROKEN) + "\n")
        if len(pauses) == 3:
            path.write_text(path.read_text() + "end 1\n")

    found = read_trial(path, 400, pause)

    assert len(pauses) == 3
    assert (found.exporter, found.status) == (BROKEN, 1)


def test_a_trial_that_never_ends_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("")
    assert read_trial(path, 1, lambda _length_s: None) == Trial(status=1)


@pytest.mark.parametrize(
    ("outside", "inside", "refused", "state", "words"),
    [
        (FINE, Trial(FINE), [], State.GOOD, "in the sandbox of poller.service, too"),
        (BROKEN, Trial(FINE), [], State.GOOD, "in the sandbox of poller.service, too"),
        (BROKEN, Trial(BROKEN, refused=["getifaddrs"]), ["getifaddrs"], State.BAD, "status 137"),
        (
            FINE,
            Trial(BROKEN, refused=["sched_setaffinity", "getifaddrs"]),
            ["getifaddrs"],
            State.BAD,
            "not where poller.service runs it: the sandbox refuses sched_setaffinity. There: expor",
        ),
        (FINE, Trial(BROKEN), [], State.BAD, "not where poller.service runs it. There: exporter "),
        (FINE, Trial(status=1), [], State.BAD, "that does not start (status 1)"),
    ],
)
def test_what_works_outside_and_fails_inside_is_the_finding(
    outside: Finding, inside: Trial, refused: list[str], state: State, words: str
) -> None:
    found = exporter_finding(outside, inside, refused)
    assert found.state is state
    assert words in found.sentence


@pytest.mark.django_db(transaction=True)
def test_the_command_writes_a_trial_and_another_reads_it(manage: Manage, tmp_path: Path) -> None:
    lines = manage("doctor", DOCTOR_TRIAL="offline").splitlines()
    path = written(tmp_path, lines)
    output = manage("doctor", "--exporter", DOCTOR_TRIAL_FILE=str(path))
    assert "in the sandbox of poller.service, too" in " ".join(output.split())
    assert "database" not in output


def test_the_calls_of_a_runtimes_start_are_allowed_here() -> None:
    done = subprocess.run([sys.executable, "-I", runtime_calls.__file__], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_refused_call_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert runtime_calls.refused_calls() == ["sched_setaffinity"]

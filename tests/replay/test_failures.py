"""Every failure that can be played looks as it does in the real exporter."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .stand_in import CHANNEL, Run, StandIn, at


def failing(stand_in: StandIn, fault: str, messages: int = 10, **environment: str) -> Run:
    """An export of ten messages that meets this fault."""
    for second in range(messages):
        stand_in.chat.post(second, f"message {second}")
    return stand_in.export(REPLAY_FAULT=fault, **environment)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("bad-token", "Authentication token is invalid."),
        ("not-found", "Request to 'channels/200' failed: not found."),
        ("forbidden", "Request to 'channels/200' failed: forbidden."),
        ("server-error:0", "Request to 'channels/200' failed: service unavailable."),
        ("rate-limited:0", "Request to 'channels/200' failed: too many requests."),
        ("network-down:0", "Name or service not known (discord.com:443)"),
    ],
)
def test_what_fails_before_the_export_is_status_1_with_its_sentence_and_no_file(
    stand_in: StandIn, fault: str, sentence: str
) -> None:
    run = failing(stand_in, fault)
    assert run.status == 1
    assert sentence in run.stderr
    assert not run.path.exists()


def test_a_channel_that_no_scenario_has_is_not_found(stand_in: StandIn) -> None:
    stand_in.play()
    run = stand_in.call("export", "--channel", "999", "--format", "Json")
    assert run.status == 1
    assert "Request to 'channels/999' failed: not found." in run.stderr


def test_a_quiet_window_is_status_0_with_an_empty_document_and_a_warning(stand_in: StandIn) -> None:
    run = failing(stand_in, "quiet")
    assert (run.status, run.messages) == (0, [])
    assert "an empty file will be created" in run.stderr


def test_before_2_45_a_quiet_window_is_status_1_without_a_file(stand_in: StandIn) -> None:
    run = failing(stand_in, "quiet", REPLAY_VERSION="2.44")
    assert run.status == 1
    assert run.stderr.endswith("Export failed.\n")
    assert not run.path.exists()


def test_before_2_45_a_channel_is_missing_in_other_words(stand_in: StandIn) -> None:
    run = failing(stand_in, "not-found", REPLAY_VERSION="2.44")
    assert run.status == 1
    assert "not found" not in run.stderr


def test_a_crash_half_way_leaves_valid_json_with_a_matching_count(stand_in: StandIn) -> None:
    run = failing(stand_in, "crash-half")
    assert run.status == 1
    assert "Failed to export message #" in run.stderr
    assert run.stderr.endswith("Export failed.\n")
    assert len(run.messages) == run.document["messageCount"] == 5


def test_messages_that_may_not_be_read_leave_a_valid_empty_file(stand_in: StandIn) -> None:
    run = failing(stand_in, "unreadable")
    assert run.status == 1
    assert run.document["messageCount"] == 0


def test_one_of_two_channels_that_fails_is_status_0_and_named_on_stderr(stand_in: StandIn) -> None:
    for second in range(4):
        stand_in.scenario.channel("201").post(second, "fine")
        stand_in.chat.post(second, "cut")
    stand_in.play()
    words = ("export", "--channel", CHANNEL, "201", "--format", "Json", "--output")
    run = stand_in.call(*words, f"{stand_in.folder}/%c.json", REPLAY_FAULT="crash-half@200")
    assert run.status == 0
    assert "Failed to export the following channel(s):\nLive / race-chat: " in run.stderr
    counts = [
        json.loads((stand_in.folder / f"{channel}.json").read_text())["messageCount"]
        for channel in (CHANNEL, "201")
    ]
    assert counts == [2, 4]


def test_when_every_channel_fails_the_status_is_1(stand_in: StandIn) -> None:
    stand_in.scenario.channel("201")
    stand_in.play()
    words = ("export", "--channel", CHANNEL, "201", "--format", "Json", "--output")
    run = stand_in.call(*words, f"{stand_in.folder}/%c.json", REPLAY_FAULT="unreadable")
    assert run.status == 1
    assert run.stderr.endswith("Export failed.\n")


def test_a_kill_leaves_a_file_that_is_cut_anywhere(stand_in: StandIn) -> None:
    run = failing(stand_in, "killed")
    assert run.status == -signal.SIGKILL
    with pytest.raises(json.JSONDecodeError):
        assert run.document


def test_a_cut_file_can_come_with_status_0(stand_in: StandIn) -> None:
    run = failing(stand_in, "cut-zero-exit")
    assert run.status == 0
    with pytest.raises(json.JSONDecodeError):
        assert run.document


@pytest.mark.parametrize(
    ("fault", "beginning"), [("garbage", "<!DOCTYPE html>"), ("empty-file", "")]
)
def test_what_is_no_document_can_come_with_status_0(
    stand_in: StandIn, fault: str, beginning: str
) -> None:
    run = failing(stand_in, fault)
    assert run.status == 0
    assert run.path.read_text().partition("\n")[0] == beginning


def test_no_file_can_come_with_status_0(stand_in: StandIn) -> None:
    run = failing(stand_in, "no-file")
    assert run.status == 0
    assert not run.path.exists()


def test_a_count_can_be_wrong(stand_in: StandIn) -> None:
    run = failing(stand_in, "wrong-count")
    assert run.status == 0
    assert (len(run.messages), run.document["messageCount"]) == (10, 13)


def test_the_document_can_be_another_channels(stand_in: StandIn) -> None:
    run = failing(stand_in, "other-channel")
    assert run.status == 0
    assert run.document["channel"]["id"] == "201"


def test_stderr_can_be_flooded_beside_a_good_export(stand_in: StandIn) -> None:
    run = failing(stand_in, "stderr-flood")
    assert (run.status, len(run.messages)) == (0, 10)
    assert len(run.stderr) > 4_000_000


def test_a_slow_start_takes_its_time(stand_in: StandIn) -> None:
    began = time.monotonic()
    assert failing(stand_in, "slow:0.3").status == 0
    assert time.monotonic() - began >= 0.3


def wait_for(path: Path, text: str) -> None:
    """Wait until a file holds the text."""
    deadline = time.monotonic() + 10
    while not (path.exists() and text in path.read_text()):
        assert time.monotonic() < deadline, f"{path} never held {text}"
        time.sleep(0.01)


def hanging(stand_in: StandIn, fault: str) -> subprocess.Popen[bytes]:
    """A process in a group of its own that has written half of its messages and hangs."""
    for second in range(4):
        stand_in.chat.post(second, f"message {second}")
    stand_in.play()
    environment = {
        **stand_in.environment,
        "REPLAY_FAULT": fault,
        "REPLAY_LOG": str(stand_in.folder / "calls"),
    }
    process = subprocess.Popen(
        stand_in.argv(*stand_in.words()),
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(stand_in.path, "message 1")
    return process


def test_a_hanging_export_ends_at_sigterm_and_leaves_a_cut_file(stand_in: StandIn) -> None:
    process = hanging(stand_in, "hang")
    process.terminate()
    assert process.wait(10) == -signal.SIGTERM
    with pytest.raises(json.JSONDecodeError):
        json.loads(stand_in.path.read_text())


def test_ctrl_c_closes_the_brackets_of_half_a_document(stand_in: StandIn) -> None:
    process = hanging(stand_in, "hang")
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 1
    assert json.loads(stand_in.path.read_text())["messageCount"] == 2


def test_a_deaf_export_outlives_sigterm(stand_in: StandIn) -> None:
    process = hanging(stand_in, "hang-deaf")
    while not is_ignoring_sigterm(process.pid):
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.2)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL


def test_a_hanging_tree_has_a_grandchild_in_its_process_group(stand_in: StandIn) -> None:
    process = hanging(stand_in, "hang-tree")
    grandchild = json.loads((stand_in.folder / "calls").read_text())["grandchild"]
    assert os.getpgid(grandchild) == process.pid
    process.terminate()
    process.wait(10)
    assert is_running(grandchild)
    os.killpg(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_running(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state_of(pid: int) -> str:
    """The letter of a process's state; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int) -> bool:
    """Whether it exists and is not merely waiting to be buried."""
    return state_of(pid) not in ("", "Z", "X")


def is_ignoring_sigterm(pid: int) -> bool:
    """Whether SIGTERM is in the process's mask of ignored signals."""
    status = Path(f"/proc/{pid}/status").read_text()
    mask = int(status.partition("SigIgn:")[2].split()[0], 16)
    return bool(mask >> (signal.SIGTERM - 1) & 1)


def test_faults_can_be_bound_to_a_channel(stand_in: StandIn) -> None:
    assert failing(stand_in, "bad-token@201,quiet@200").messages == []


def test_a_schedule_plays_faults_by_the_replay_clock(stand_in: StandIn) -> None:
    schedule = stand_in.folder / "schedule.json"
    entries = [
        {"from": at(0), "to": at(60), "fault": "bad-token"},
        {"from": at(60), "to": at(120), "fault": "not-found", "channel": "201"},
        {"from": at(120), "fault": "slow:0,quiet", "channel": CHANNEL},
    ]
    schedule.write_text(json.dumps(entries))
    outcomes = []
    for seconds in (-1, 0, 59.999, 60, 120):
        run = stand_in.export(REPLAY_FAULT=f"@{schedule}", REPLAY_NOW=at(seconds))
        outcomes.append((run.status, "invalid" in run.stderr))
    assert outcomes == [(0, False), (1, True), (1, True), (0, False), (0, False)]


def test_each_call_appends_one_line_to_the_log_without_any_token(stand_in: StandIn) -> None:
    log = stand_in.folder / "calls.log"
    stand_in.export("--after", at(3), REPLAY_LOG=str(log))
    stand_in.export("--token", "secret-words", REPLAY_LOG=str(log), REPLAY_FAULT="quiet")
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert first["time"] == "2026-11-23T12:10:00+00:00"
    assert first["argv"][-2:] == ["--after", at(3)]
    assert (first["fault"], first["token"]) == ("", True)
    assert (second["fault"], second["argv"][-1]) == ("quiet", "***")
    assert "secret" not in log.read_text()
    assert "a-token" not in log.read_text()


def test_a_refused_call_is_logged_too(stand_in: StandIn) -> None:
    log = stand_in.folder / "calls.log"
    stand_in.call("export", "--strange", REPLAY_LOG=str(log))
    assert len(log.read_text().splitlines()) == 1

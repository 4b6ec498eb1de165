"""When an idle tick owes a sign of life."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from messages_app.environment import Settings
from messages_app.gate import idle_answer
from messages_app.heartbeat import SILENCE_S, heartbeat_done, is_heartbeat_due
from tests.builders import settle_database
from tests.commands import Manage

NOW_S = 1_795_000_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings({"POLLER_STATE_DIR": f"{tmp_path}/state"})


def test_it_is_due_before_the_first(settings: Settings) -> None:
    assert is_heartbeat_due(settings, NOW_S)


@pytest.mark.parametrize(
    ("age_s", "is_due"), [(0, False), (SILENCE_S - 1, False), (SILENCE_S, True), (-10, True)]
)
def test_it_is_due_again_after_a_while(settings: Settings, age_s: float, is_due: bool) -> None:
    heartbeat_done(settings, NOW_S - age_s)
    assert is_heartbeat_due(settings, NOW_S) is is_due


def test_the_gate_hands_over_when_it_is_due_and_only_then(manage: Manage, tmp_path: Path) -> None:
    manage("poll_recent_messages")
    settle_database()
    environ = manage.environ | {"POLLER_METRICS_TEXTFILE": f"{tmp_path}/poller.prom"}
    assert idle_answer(manage.environ) is not None
    assert idle_answer(environ) is None
    manage("poll_recent_messages", POLLER_METRICS_TEXTFILE=f"{tmp_path}/poller.prom")
    settle_database()
    assert idle_answer(environ) is not None


def test_a_link_or_a_pipe_in_its_place_is_not_opened(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    heartbeat = tmp_path / "state" / "heartbeat"
    kept = tmp_path / "kept"
    kept.write_text("another's")
    os.utime(kept, (1, 1))
    heartbeat.symlink_to(kept)
    with pytest.raises(OSError, match="symbolic link"):
        heartbeat_done(settings, NOW_S)
    assert (kept.read_text(), kept.stat().st_mtime) == ("another's", 1)
    heartbeat.unlink()
    os.mkfifo(heartbeat)
    with pytest.raises(OSError, match="No such device"):
        heartbeat_done(settings, NOW_S)

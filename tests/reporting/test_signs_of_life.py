"""What a run tells others when it ends, however it ends."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from messages_app.environment import Settings
from messages_app.errors import DatabaseUnavailable
from messages_app.events import Event, RunOutcome
from messages_app.interruption import Interrupted
from messages_app.reporting.signs_of_life import SignsOfLife
from tests.reporting.switch import switch


class Run:
    """A run between a dead-man's switch and systemd's socket."""

    def __init__(self, folder: Path, url: str, **environ: str) -> None:
        self.status_lines: list[str] = []
        self.events: list[Event] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"{folder}/notify")
        settings = Settings({"POLLER_STATE_DIR": str(folder), "POLLER_PING_URL": url, **environ})
        environ = {"NOTIFY_SOCKET": f"{folder}/notify"}
        self.signs = SignsOfLife(settings, environ, self.events.append)

    def ends_with(self, error: BaseException | None, outcome: RunOutcome | None = None) -> str:
        """Run to this end; return the line that systemd was told."""
        with self._socket:
            with suppress(BaseException), self.signs:
                self.signs.outcome = outcome
                if error:
                    raise error
            self._socket.settimeout(5)
            return self._socket.recv(1000).decode()


def test_an_outcome_is_told_though_the_process_exits(tmp_path: Path) -> None:
    with switch() as service:
        run = Run(tmp_path, service.url)
        line = run.ends_with(SystemExit(69), RunOutcome("One of two failed.", 69))
    assert line == "STATUS=One of two failed."
    assert service.paths == ["/check/start", "/check/69"]
    assert (tmp_path / "heartbeat").exists()


def test_an_error_of_the_run_is_told(tmp_path: Path) -> None:
    with switch() as service:
        line = Run(tmp_path, service.url).ends_with(DatabaseUnavailable("No database."))
    assert line == "STATUS=No database."
    assert service.paths[-1] == "/check/69"


def test_a_bug_is_told_without_its_words(tmp_path: Path) -> None:
    with switch() as service:
        line = Run(tmp_path, service.url).ends_with(RuntimeError("the.test.token"))
    assert line == "STATUS=The run failed with RuntimeError: this is a bug."
    assert service.paths[-1] == "/check/1"


def test_an_operators_stop_is_no_failure(tmp_path: Path) -> None:
    with switch() as service:
        line = Run(tmp_path, service.url).ends_with(Interrupted(signal.SIGTERM))
    assert line.startswith("STATUS=Interrupted by SIGTERM")
    assert service.paths in ([], ["/check/start"])
    assert not (tmp_path / "heartbeat").exists()


@pytest.mark.django_db
def test_a_database_that_is_down_is_not_asked_for_metrics(tmp_path: Path) -> None:
    with switch() as service:
        path = f"{tmp_path}/poller.prom"
        run = Run(tmp_path, service.url, POLLER_METRICS_TEXTFILE=path)
        run.ends_with(DatabaseUnavailable("No database."))
    assert run.events == []
    assert not Path(path).exists()

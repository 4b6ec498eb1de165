"""The web side served as systemd does: by a socket, until nobody asks any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.activation import SERVE, activated

ROOT = Path(__file__).parents[2]
# Where a library is missing.
WITHOUT_WAITRESS = """
import importlib.util, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "waitress" else found(name, *more)
sys.path.insert(0, sys.argv[1])
from messages_app.web.serve import main
sys.exit(main([]))
"""


@contextmanager
def served(
    state: Path, *program: str, **environ: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The site's address and the server's process, started on a socket that is open already."""
    told = {
        "PATH": os.environ["PATH"],
        "POLLER_STATE_DIR": str(state),
        "POLLER_ALLOWED_HOSTS": "127.0.0.1",
        **environ,
    }
    with activated(told, *program, cwd=state, stderr=subprocess.PIPE) as (port, process):
        yield f"http://127.0.0.1:{port}", process


def refused(url: str) -> tuple[int, str]:
    """The status and the text of an answer that is an error."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url, timeout=60)
    with caught.value as answer:
        return answer.status or 0, answer.read().decode()


def told(process: subprocess.Popen[str]) -> str:
    """What the process has written for the journal; stops it."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=30)[1]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    environ = {"PATH": os.environ["PATH"], "POLLER_STATE_DIR": str(tmp_path)}
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, env=environ, cwd=ROOT, check=True)
    return tmp_path


def test_a_request_that_comes_first_is_answered_and_idleness_ends_the_server(state: Path) -> None:
    with served(state, WEB_IDLE_EXIT_S="3") as (url, process):
        with urllib.request.urlopen(f"{url}/login/", timeout=60) as response:
            assert response.status == 200
            assert b"Log in" in response.read()
        assert process.wait(timeout=30) == 0


def test_the_server_stays_while_somebody_asks(state: Path) -> None:
    with served(state, WEB_IDLE_EXIT_S="3") as (url, process):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            with urllib.request.urlopen(f"{url}/static/web/mark.svg", timeout=60) as response:
                assert response.status == 200
            time.sleep(0.2)
        assert process.poll() is None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            {"POLLER_WINDOW": "soon"},
            "POLLER_WINDOW='soon' is not a whole number from 1 to 3600: correct it.",
        ),
        (
            {"DATABASE_URL": "sqlite:////nowhere/db.sqlite3"},
            "The database is not migrated: run `migrate` first.",
        ),
        (
            {"DATABASE_URL": "postgres://nobody@127.0.0.1:9/poller"},
            "The database cannot be reached (",
        ),
    ],
)
def test_who_asks_a_server_that_cannot_start_is_told_so(
    state: Path, wrong: dict[str, str], sentence: str
) -> None:
    with served(state, **wrong) as (url, process):
        answers = [refused(f"{url}/") for _ in range(3)]
        said = told(process)
    assert {status for status, _ in answers} == {503}
    assert "journalctl -u poller-web" in answers[0][1]
    assert sentence not in answers[0][1]
    assert said.startswith(sentence)
    assert said.count("\n") == 1


def test_a_library_that_is_missing_is_told_in_a_sentence(state: Path) -> None:
    with served(state, "-c", WITHOUT_WAITRESS, str(ROOT)) as (url, process):
        assert refused(url)[0] == 503
        said = told(process)
    assert said.startswith("The web side needs waitress: install ")
    assert said.count("\n") == 1


def test_without_systemd_a_server_that_cannot_start_ends_at_once(tmp_path: Path) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "POLLER_STATE_DIR": str(tmp_path),
        "POLLER_PARALLEL": "no",
    }
    done = subprocess.run(
        [sys.executable, "-I", SERVE], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 78
    assert done.stderr == "POLLER_PARALLEL='no' is not a whole number from 1 to 64: correct it.\n"


def test_a_database_that_goes_away_is_one_line_in_the_journal(state: Path) -> None:
    # One thread, so that both refused requests meet the same connection in the same order.
    with served(state, SERVE, "--threads", "1", POLLER_PUBLIC="true") as (url, process):
        with urllib.request.urlopen(url, timeout=60) as response:
            assert response.status == 200
        for path in state.glob("db.sqlite3*"):
            path.write_bytes(b"this is no database" * 1000)
        page, api = refused(url), refused(f"{url}/api/sessions/")
        said = told(process)
    assert (page[0], api) == (503, (503, '{"error": "The database cannot be used just now."}'))
    assert "The database is away" in page[1]
    assert set(said.splitlines()) == {said.partition("\n")[0]}
    assert said.startswith(f"The database {state}/db.sqlite3 cannot be used (")


def test_who_asks_for_what_is_not_in_the_journal(state: Path) -> None:
    with served(state) as (url, process):
        assert refused(f"{url}/static/nothing-here")[0] == 404
        request = urllib.request.Request(url, headers={"Host": "stranger.example"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=60)
        caught.value.close()
        said = told(process)
    assert caught.value.status == 400
    assert said == (
        "A request for another host was refused: if the name is this server's, add it to "
        "POLLER_ALLOWED_HOSTS.\n"
    )

"""Runs know the dead ones among them by the lock on their folders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from messages_app.environment import CHECKOUT
from messages_app.polling.run_folder import Run

LIVES = (
    "import sys; from pathlib import Path; from messages_app.polling.run_folder import Run\n"
    "with Run(Path(sys.argv[1])) as run:\n"
    "    (run.folder / 'export.json').write_text('half')\n"
    "    print(run.name, flush=True)\n"
    "    sys.stdin.read()\n"
)


def start_run(state: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", LIVES, str(state)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_run_leaves_nothing_behind(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        (run.folder / "export.json").touch()

    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    process, name = start_run(tmp_path)

    with Run(tmp_path) as run, run.dead_runs() as dead:
        assert dead == []

    assert (tmp_path / "runs" / name / "export.json").exists()
    end(process)


def test_what_a_killed_run_left_is_found_and_removed(tmp_path: Path) -> None:
    process, name = start_run(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    with Run(tmp_path) as run, run.dead_runs() as dead:
        assert dead == [name]

    assert list((tmp_path / "runs").iterdir()) == []


def test_a_dead_run_is_found_again_where_its_leases_could_not_be_freed(tmp_path: Path) -> None:
    process, name = start_run(tmp_path)
    end(process)

    with Run(tmp_path) as run:
        with pytest.raises(OSError, match="database is away"), run.dead_runs():
            raise OSError("database is away")
        with run.dead_runs() as dead:
            assert dead == [name]


def test_two_hosts_of_one_name_are_told_apart_by_their_state_folders(tmp_path: Path) -> None:
    def host(state: Path) -> str:
        with Run(state) as run:
            return run.name.partition(":")[0]

    anna, berta = tmp_path / "anna", tmp_path / "berta"

    assert host(anna) == host(anna) != host(berta) == host(berta)


@pytest.mark.parametrize("odd", ["text", "folder", "fifo", "link", "empty"])
def test_whatever_stands_in_the_place_of_the_hosts_id_stops_no_run(
    tmp_path: Path, odd: str
) -> None:
    place = tmp_path / "host-id"
    secret = tmp_path / "secret"
    secret.write_text("abcdef0123456789")
    if odd == "folder":
        (place / "inside").mkdir(parents=True)
    elif odd == "fifo":
        os.mkfifo(place)
    elif odd == "link":
        place.symlink_to(secret)
    else:
        place.write_text("no id at all" if odd == "text" else "")

    with Run(tmp_path) as run:
        assert "abcdef01" not in run.name

    assert secret.read_text() == "abcdef0123456789"

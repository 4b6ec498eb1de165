"""The installed command knows whether help is asked for by its words, one by one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from messages_app.environment import CHECKOUT

WRAPPER = Path(CHECKOUT) / "packaging" / "discord-poller.in"
NOT_ROOT = 126


@pytest.fixture
def wrapper(tmp_path: Path) -> Path:
    """The command, as it is installed for somebody who is not root; its Python tells its words."""
    for name, text in {"python": 'shift 2; printf "%s|" "$@"', "id": "echo 1000"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    command = tmp_path / "discord-poller"
    filled = WRAPPER.read_text().replace("@PYTHON@", str(tmp_path / "python"))
    command.write_text(filled.replace("@pkglibdir@", str(tmp_path)))
    command.chmod(0o755)
    return command


def run(wrapper: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{wrapper.parent}:{os.environ['PATH']}"
    return subprocess.run([wrapper, *words], capture_output=True, text=True, env={"PATH": path})


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("help",),
        ("--help",),
        ("-h",),
        ("--version",),
        ("help", "session"),
        ("session", "--help"),
        ("session", "add", "-h"),
        ("session", "add", "A title", "--help"),
        ("install-exporter", "--help"),
    ],
)
def test_help_is_for_everybody(wrapper: Path, words: tuple[str, ...]) -> None:
    done = run(wrapper, *words)
    assert (done.returncode, done.stdout) == (0, "".join(f"{word}|" for word in words) or "|")


@pytest.mark.parametrize(
    "words",
    [
        ("session", "add", "--help me"),
        ("session", "add", "help"),
        ("session", "add", "What does -h mean"),
        ("session", "add", "x --help y"),
        ("session", "add", "--", "--help"),
        ("session", "add", "", "-hot-"),
        ("import_messages", "--version.json"),
        ("helpful",),
    ],
)
def test_what_stands_in_a_title_is_no_call_for_help(wrapper: Path, words: tuple[str, ...]) -> None:
    done = run(wrapper, *words)
    assert (done.returncode, done.stdout) == (NOT_ROOT, "")
    assert "only root can act" in done.stderr


def test_the_version_of_an_exporter_is_no_question_for_ours(wrapper: Path) -> None:
    done = run(wrapper, "install-exporter", "--version", "2.47")
    assert (done.returncode, done.stdout) == (0, "install-exporter|--version|2.47|")

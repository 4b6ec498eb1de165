"""The Python package: `pipx install .` gives a discord-poller that needs no checkout."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from messages_app.environment import CHECKOUT
from messages_app.gate import idle_sentence

IDLE = f"{idle_sentence(None)}\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: a build leaves files behind."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "manage.py"):
        shutil.copy(Path(CHECKOUT) / name, source)
    for name in ("config", "messages_app"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(CHECKOUT) / name, source / name, ignore=ignored)
    build = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", "dist"]
    pip([*build, str(source)], source)
    (built,) = (source / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment that has the package; Django is lent to it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    target = ["--python", str(folder / "bin/python"), "install", "--no-deps", "--no-index"]
    pip([*target, str(wheel)], folder)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "lent.pth").write_text("\n".join(site.getsitepackages()))
    return folder / "bin/discord-poller"


def pip(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run(program: Path, home: Path, *arguments: str, **environ: str) -> str:
    """What the command prints, standing in a folder that is nobody's."""
    done = subprocess.run(
        [program, *arguments],
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home)} | environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_wheel_holds_the_program_whole_and_nothing_else(wheel: Path) -> None:
    there = {
        str(path.relative_to(CHECKOUT))
        for folder in ("config", "messages_app")
        for path in (Path(CHECKOUT) / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == there


def test_the_command_polls_and_keeps_its_state_in_the_users_own_folder(
    program: Path, tmp_path: Path
) -> None:
    state = tmp_path / ".local/state/discord-poller"
    run(program, tmp_path, "migrate", "--verbosity", "0")
    assert run(program, tmp_path, "poll_recent_messages") == IDLE
    assert (state / "db.sqlite3").is_file()
    elsewhere = {"XDG_STATE_HOME": str(tmp_path / "states")}
    run(program, tmp_path, "migrate", "--verbosity", "0", **elsewhere)
    assert (tmp_path / "states/discord-poller/db.sqlite3").is_file()
    assert sorted(path.name for path in program.parent.parent.glob("lib/python*/*/*")) == sorted(
        ["config", "messages_app", "lent.pth", *_dist_info(program)]
    )


def _dist_info(program: Path) -> list[str]:
    return [path.name for path in program.parent.parent.glob("lib/python*/*/*.dist-info")]


def test_the_command_asks_the_gate_before_it_loads_django(program: Path, tmp_path: Path) -> None:
    run(program, tmp_path, "migrate", "--verbosity", "0")
    database = tmp_path / ".local/state/discord-poller/db.sqlite3"
    os.utime(database, (0, 0))  # nobody has used it for a while, so that the gate trusts it
    told = run(program, tmp_path, "poll_recent_messages", PYTHONPROFILEIMPORTTIME="1")
    assert told.startswith(IDLE)
    assert "messages_app.gate" in told
    assert "django" not in told


def test_the_command_starts_itself_again_as_the_stand_in(program: Path, tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, django; django.setup(); "
        "from messages_app.management.base import own_command; "
        "sys.exit(subprocess.run([*own_command(), 'replay', '--version']).returncode)"
    )
    environ = {"DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [program.with_name("python"), "-I", "-c", code],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)} | environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "v2." in done.stdout

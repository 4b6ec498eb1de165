"""The exporter as a process: its environment, time limit and end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from messages_app.environment import CHECKOUT, Settings
from messages_app.errors import (
    ConfigurationError,
    ExporterFailed,
    PollerError,
    TimeLimitReached,
    TokenRefused,
)
from messages_app.exporter.export import Export, run_side_by_side
from messages_app.exporter.process import Program, ProgramExport
from messages_app.windows import Window
from tests.commands import REPLAY
from tests.processes import wait_until_gone

TOKEN = "the.test.token"
START = datetime(2026, 5, 1, 18, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(seconds=30))


def script(folder: Path, text: str, *, name: str = "exporter", mode: int = 0o755) -> str:
    """A program of these lines of shell; returns its path."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


def exporter(folder: Path, command: str, **environ: str) -> Program:
    given = {"PATH": os.environ["PATH"], "POLLER_EXPORTER": command, "DISCORD_TOKEN": TOKEN}
    return Program(command, Settings(given | environ), folder, given | environ)


def ended(folder: Path, command: str, **environ: str) -> Export:
    """One export of WINDOW, run to its end."""
    exports = [exporter(folder, command, **environ).start(201, WINDOW)]
    finished: list[Export] = []
    run_side_by_side(lambda: exports.pop() if exports else None, finished.append, 1)
    (export,) = finished
    return export


def failure(folder: Path, command: str, **environ: str) -> PollerError:
    error = ended(folder, command, **environ).failure()
    assert error is not None
    return error


def test_a_percent_sign_in_the_output_is_no_template(tmp_path: Path) -> None:
    folder = tmp_path / "100%c"
    folder.mkdir()

    export = ended(folder, REPLAY, REPLAY_NOW="2026-05-01T18:01:00Z")

    assert export.failure() is None
    assert export.output.parent == folder
    assert json.loads(export.output.read_text())["channel"]["id"] == "201"
    assert list(tmp_path.iterdir()) == [folder]


def test_every_export_of_a_run_has_a_file_of_its_own(tmp_path: Path) -> None:
    starter = exporter(tmp_path, script(tmp_path, "exit 0"))
    exports = [starter.start(201, WINDOW) for _ in range(3)]
    for export in exports:
        export.end()

    assert len({export.output for export in exports}) == 3


def test_the_token_is_in_the_environment_and_not_in_the_arguments(tmp_path: Path) -> None:
    look = 'tr "\\0" "\\n" </proc/$$/cmdline >seen-arguments; env >seen-environment'
    command = script(tmp_path, f"cd {tmp_path} && {look}")

    assert ended(tmp_path, command).failure() is None

    arguments = (tmp_path / "seen-arguments").read_text()
    assert "--channel\n201\n" in arguments
    assert TOKEN not in arguments
    assert f"DISCORD_TOKEN={TOKEN}\n" in (tmp_path / "seen-environment").read_text()


def test_the_exporter_gets_no_setting_or_secret_of_ours(tmp_path: Path) -> None:
    command = script(tmp_path, f"env >{tmp_path}/seen")
    ours = {
        "DATABASE_URL": "postgres://poller:secret@db/poller",
        "PGPASSWORD": "secret",
        "POLLER_SECRET_KEY": "secret",
        "CREDENTIALS_DIRECTORY": "/nowhere",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "POLLER_CHANNELS": "7",
    }

    ended(tmp_path, command, **ours, HOME="/home/poller", HTTPS_PROXY="http://proxy")

    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines())
    assert seen.keys().isdisjoint(ours)
    assert "secret" not in str(seen)
    assert (seen["HOME"], seen["HTTPS_PROXY"]) == ("/home/poller", "http://proxy")
    assert seen["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] == "1"
    assert seen["FUCK_RUSSIA"] == "1"


def test_the_exporter_may_not_dump_core_with_the_token_in_it(tmp_path: Path) -> None:
    ended(tmp_path, script(tmp_path, f"ulimit -Hc >{tmp_path}/seen"))

    assert (tmp_path / "seen").read_text() == "0\n"


def test_the_exporter_is_killed_first_where_memory_runs_out(tmp_path: Path) -> None:
    ended(tmp_path, script(tmp_path, f"cat /proc/self/oom_score_adj >{tmp_path}/seen"))

    assert (tmp_path / "seen").read_text() == "1000\n"


def test_the_exporter_reads_nothing_of_ours(tmp_path: Path) -> None:
    ended(tmp_path, script(tmp_path, f"wc -c >{tmp_path}/seen; echo noise"))

    assert (tmp_path / "seen").read_text().strip() == "0"


def test_the_command_line_is_split_as_a_shell_splits_words(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    command = script(folder, f'printf "%s\\n" "$@" >{tmp_path}/seen')

    ended(tmp_path, f"'{command}' --proxy \"a b\"")

    assert (tmp_path / "seen").read_text().startswith("--proxy\na b\nexport\n--channel\n")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("no-such-exporter", "'no-such-exporter' cannot be found or executed"),
        ("/nowhere/DiscordChatExporter.Cli", "cannot be found or executed"),
        ("'unclosed", "unclosed quotation mark"),
        ("   ", "names no program"),
        ("''", "cannot be found or executed"),
    ],
)
def test_an_exporter_that_is_not_there_is_a_matter_of_configuration(
    tmp_path: Path, command: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        exporter(tmp_path, command)


def test_a_file_that_may_not_be_executed_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be found or executed"):
        exporter(tmp_path, script(tmp_path, "exit 0", mode=0o644))


def test_a_token_among_the_exporters_arguments_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        exporter(tmp_path, f"no-such-exporter --token {TOKEN}")

    assert TOKEN not in str(caught.value)


def test_a_program_that_cannot_be_executed_is_a_matter_of_configuration(tmp_path: Path) -> None:
    path = tmp_path / "exporter"
    path.write_text("#!/nowhere/interpreter\n")
    path.chmod(0o755)

    error = failure(tmp_path, str(path))

    assert isinstance(error, ConfigurationError)
    assert f"cannot be executed («{path}: not found»)" in str(error)
    assert "check POLLER_EXPORTER" in str(error)


def test_without_setpriv_a_program_that_cannot_run_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "exporter"
    path.write_bytes(b"\x7fELF of another machine")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match=r"cannot be started \(Exec format error\)"):
        ended(tmp_path, "exporter")


def test_without_a_token_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No Discord token is configured"):
        exporter(tmp_path, script(tmp_path, "exit 0"), DISCORD_TOKEN="")


@pytest.mark.parametrize("fault", ["hang", "hang-tree", "hang-deaf"])
def test_at_the_time_limit_the_whole_process_group_is_ended(tmp_path: Path, fault: str) -> None:
    log = tmp_path / "calls.log"
    started = time.monotonic()

    error = failure(
        tmp_path, REPLAY, POLLER_EXPORT_TIMEOUT="2", REPLAY_FAULT=fault, REPLAY_LOG=str(log)
    )

    assert isinstance(error, TimeLimitReached)
    assert "took longer than 2 s" in str(error)
    assert time.monotonic() - started < 4
    call = json.loads(log.read_text())
    wait_until_gone(*(call[key] for key in ("pid", "grandchild") if key in call))


def test_what_an_exporter_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    export = ended(tmp_path, script(tmp_path, f"sleep 600 & echo $! >{tmp_path}/pid"))

    assert export.failure() is None
    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_exports_side_by_side_are_ended_when_one_of_them_cannot_be_taken_in(tmp_path: Path) -> None:
    quick = exporter(tmp_path, script(tmp_path, "exit 0", name="quick")).start(201, WINDOW)
    slow = exporter(tmp_path, script(tmp_path, "sleep 600", name="slow")).start(202, WINDOW)
    exports = [quick, slow]

    def fail(_export: Export) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_side_by_side(lambda: exports.pop() if exports else None, fail, 2)

    assert slow.failure() is not None


def test_an_exporter_outlives_no_poller_that_is_killed(tmp_path: Path) -> None:
    command = script(tmp_path, f"echo $$ >{tmp_path}/pid; exec sleep 600")
    poller = f"""
import os, signal, sys, time
from pathlib import Path
from tests.exporter.test_process import WINDOW, exporter
exporter(Path({str(tmp_path)!r}), {command!r}).start(201, WINDOW)
while not Path({str(tmp_path / "pid")!r}).exists():
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", poller]).returncode == -signal.SIGKILL

    wait_until_gone(int((tmp_path / "pid").read_text()))


def test_a_flood_of_words_neither_blocks_nor_fills_the_memory(tmp_path: Path) -> None:
    export = ended(tmp_path, REPLAY, REPLAY_FAULT="stderr-flood")

    assert export.failure() is None
    assert isinstance(export, ProgramExport)
    assert len(export._main.stderr) <= 16 * 1024


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ("Authentication token is invalid.", TokenRefused, "Discord refused the token"),
        ("Request to 'channels/1' failed: not found.", ExporterFailed, "knows no such channel"),
        ("Request to 'channels/1' failed: forbidden.", ExporterFailed, "forbids the token"),
        ("error: \033[31mno\033[0m\tdisk", ExporterFailed, "status 1 and said «error: no disk»"),
        ("", ExporterFailed, "exited with status 1: the window"),
        ("all is well", ExporterFailed, "exited with status 1: the window"),
        (
            "Failed to export the following channel(s):\\n\\nLive / chat: Export failed half-way",
            ExporterFailed,
            "«Live / chat: Export failed half-way»",
        ),
    ],
)
def test_the_reason_of_a_failure_is_read_from_the_exporters_words(
    tmp_path: Path, words: str, kind: type[PollerError], sentence: str
) -> None:
    error = failure(tmp_path, script(tmp_path, f"printf '%b\\n' \"{words}\" >&2; exit 1"))

    assert type(error) is kind
    assert sentence in str(error)


def test_the_token_is_taken_out_of_what_is_quoted(tmp_path: Path) -> None:
    command = script(tmp_path, 'echo "error with $DISCORD_TOKEN in it" >&2; exit 1')

    error = failure(tmp_path, command)

    assert "error with [token] in it" in str(error)


def test_a_line_that_is_cut_within_the_token_is_not_quoted(tmp_path: Path) -> None:
    line = f"error {TOKEN} " + "x" * (16 * 1024 - len(TOKEN) - 9 + len("error "))
    (tmp_path / "words").write_text(line + "\n")

    error = failure(tmp_path, script(tmp_path, f"cat {tmp_path}/words >&2; exit 1"))

    assert "token" not in str(error)


@pytest.mark.parametrize(("number", "name"), [(9, "Killed"), (11, "Segmentation fault"), (35, "")])
def test_an_exporter_that_is_killed_is_told_with_its_signal(
    tmp_path: Path, number: int, name: str
) -> None:
    error = failure(tmp_path, script(tmp_path, f"kill -{number} $$; sleep 9"))

    assert isinstance(error, ExporterFailed)
    assert f"killed by signal {number} ({name}" in str(error)


SPY = """
for file in environ mem maps fd/0 cwd; do
    head -c 1 "/proc/$PPID/$file" >/dev/null 2>&1 && echo "$file" >>seen
done
head -c 1 /proc/self/environ >/dev/null && echo done >>seen
"""
EXPORT = """
import sys
from pathlib import Path
from tests.exporter.test_process import ended
ended(Path(sys.argv[1]), sys.argv[2], DATABASE_URL="postgres://poller:secret@db/poller")
"""


def test_the_exporter_cannot_look_into_the_process_that_runs_it(tmp_path: Path) -> None:
    spy = script(tmp_path, f"cd '{tmp_path}'" + SPY)
    # Root's own processes could read each other by their capabilities.
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.getuid() == 0 else []
    command += [sys.executable, "-c", EXPORT, str(tmp_path), spy]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "seen").read_text() == "done\n"

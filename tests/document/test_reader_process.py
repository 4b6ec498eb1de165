"""The process that reads a large export beside the one that stores it."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import connection

from messages_app.document.parts import ExportEnd
from messages_app.document.reader_process import LEAST_BYTES_BESIDE, Beside, reading
from messages_app.errors import ReadingStopped
from messages_app.models import Message
from tests.commands import Commands, Manage
from tests.large_exports import write_to
from tests.processes import children, peak_kib, wait_until_gone
from tests.test_interruption import interrupted, until

MESSAGES = 5000


@pytest.fixture
def text() -> str:
    """An export of MESSAGES messages."""
    file = io.StringIO()
    write_to(file, MESSAGES)
    return file.getvalue()


class PipedImport:
    """An import of what is written into `source`, and the process that reads there."""

    def __init__(self, process: subprocess.Popen[str], pipe: Path) -> None:
        self.process = process
        self.source = pipe.open("w")
        (self.reader,) = until(lambda: children(process.pid))
        until(lambda: "reader_process" in self.reader_file("cmdline"))  # no longer a fork

    def write(self, text: str) -> None:
        self.source.write(text)
        self.source.flush()

    def reader_file(self, name: str) -> str:
        return Path(f"/proc/{self.reader}/{name}").read_text()


@pytest.fixture
def piped(manage: Manage, tmp_path: Path) -> Iterator[PipedImport]:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with manage.start("import_messages", str(pipe)) as process:
        importing = PipedImport(process, pipe)
        try:
            yield importing
        finally:
            process.kill()
            with suppress(BrokenPipeError):
                importing.source.close()


def stored(count: int) -> None:
    until(lambda: Message.objects.count() >= count)


def test_the_reader_knows_neither_token_nor_database(piped: PipedImport) -> None:
    known = piped.reader_file("environ") + piped.reader_file("cmdline")
    assert "the.test.token" not in known
    assert connection.settings_dict["NAME"] not in known


def test_what_was_read_before_the_reader_is_killed_is_stored(piped: PipedImport, text: str) -> None:
    piped.write(text[: len(text) // 2])
    stored(2000)
    os.kill(piped.reader, signal.SIGKILL)
    said, _ = piped.process.communicate(timeout=10)

    assert piped.process.returncode == 75
    sentence, tally = said.splitlines()
    assert "Reading it was ended by signal 9" in sentence
    assert tally.startswith(f"{Message.objects.count()} read")


def test_a_slow_source_keeps_nobody_from_the_database(piped: PipedImport, text: str) -> None:
    piped.write(text[: len(text) // 2])
    stored(2000)
    # The rest is still to come: were the transaction open, this would wait for its end.
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA busy_timeout = 0")
        cursor.execute("UPDATE messages_app_channel SET name = 'free'")
    piped.write(text[len(text) // 2 :])
    piped.source.close()
    said, _ = piped.process.communicate(timeout=20)

    assert said.startswith(f"{MESSAGES} read, {MESSAGES} new"), said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_reader_with_the_import(
    piped: PipedImport, text: str, number: signal.Signals
) -> None:
    piped.write(text[: len(text) // 2])
    stored(2000)
    os.kill(piped.reader, number)  # as from a terminal, which sends it to both
    said = interrupted(piped.process, number)

    assert said == f"Interrupted by {number.name}; nothing is lost.\n"
    assert piped.process.returncode == -number
    wait_until_gone(piped.reader)


def test_the_reader_does_not_outlive_an_import_that_is_killed(
    piped: PipedImport, text: str
) -> None:
    piped.write(text[: len(text) // 2])
    stored(2000)
    piped.process.kill()
    piped.process.wait()
    with pytest.raises(BrokenPipeError):
        while True:
            piped.write(text)
    wait_until_gone(piped.reader)


def test_the_memory_of_the_reader_does_not_grow(piped: PipedImport, text: str) -> None:
    head, messages = text.split('"messages": [')
    messages, footer = messages.rsplit("\n  ]", 1)
    piped.write(head + '"messages": [' + messages)
    before_kib = peak_kib(piped.reader)
    for _ in range(4):
        piped.write("," + messages)  # once written, it is read but for a pipe's 64 KiB
    after_kib = peak_kib(piped.reader)
    piped.write("\n  ]" + footer)
    piped.source.close()
    piped.process.communicate(timeout=20)

    assert 0 < after_kib < 1.2 * before_kib


@pytest.fixture
def large_file(tmp_path: Path, text: str) -> Path:
    """An export that is just large enough for a process of its own."""
    path = tmp_path / "large.json"
    path.write_text(text + " " * (LEAST_BYTES_BESIDE - len(text)))
    return path


@pytest.mark.parametrize(("processors", "is_beside"), [({0, 1}, True), ({1}, False)])
def test_a_large_file_is_read_beside_where_there_are_two_processors(
    large_file: Path, monkeypatch: pytest.MonkeyPatch, processors: set[int], is_beside: bool
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: processors)
    others = set(children(os.getpid()))  # multiprocessing's, of other tests
    with large_file.open("rb") as stream, reading(stream) as source:
        assert bool(set(children(os.getpid())) - others) is is_beside
        assert source.next_part()
    assert not set(children(os.getpid())) - others


def test_where_no_process_can_be_started_a_large_file_is_read_here(
    commands: Commands, large_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    output = commands("import_messages", str(large_file))
    assert output.startswith(f"{MESSAGES} read, {MESSAGES} new")


def test_a_reader_that_is_killed_in_the_midst_of_a_part_is_told(tmp_path: Path) -> None:
    part = pickle.dumps([("row",)] * 1000)
    (tmp_path / "part").write_bytes(part[: len(part) // 2])
    dying = subprocess.Popen(
        ["sh", "-c", f"cat {tmp_path}/part; kill -9 $$"], stdout=subprocess.PIPE
    )

    beside = Beside(dying)
    end = beside.next_part()
    beside.end()

    assert isinstance(end, ExportEnd)
    assert isinstance(end.failure, ReadingStopped)
    assert "signal 9" in str(end.failure)

"""`export_messages`: the data comes back as it was, in the keys and order that are promised."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from messages_app.file_export import KEYS
from messages_app.inert import inert
from messages_app.models import Message, Session
from messages_app.scheduling import add_session
from messages_app.windows import Window
from tests.commands import MANAGE, Commands, Manage
from tests.export_documents import (
    CHANNEL_ID,
    FIRST_ID,
    Json,
    document,
    message,
    minified,
    reaction,
    rich_message,
    user,
)

NOON = datetime(2024, 4, 27, 12, tzinfo=UTC)


def at(minute: int) -> str:
    return (NOON + timedelta(minutes=minute)).isoformat()


@pytest.fixture
def export(commands: Commands, tmp_path: Path) -> Export:
    return Export(commands, tmp_path)


class Export:
    """Stores messages, and gives them back."""

    def __init__(self, commands: Commands, folder: Path) -> None:
        self.commands = commands
        self._folder = folder

    def store(self, *messages: Json, channel_id: int = CHANNEL_ID) -> None:
        exported = document(*messages, channel={"id": str(channel_id), "name": "live"})
        (self._folder / "import.json").write_bytes(minified(exported))
        self.commands("import_messages", str(self._folder / "import.json"))

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        output = self.commands("export_messages", *arguments)
        return [json.loads(line) for line in output.splitlines()]

    def table(self, *arguments: str) -> list[dict[str, str]]:
        output = self.commands("export_messages", "--format", "csv", *arguments)
        return list(csv.DictReader(io.StringIO(output)))


def session_of(start_minute: int, end_minute: int, *channel_ids: int) -> Session:
    start, end = (NOON + timedelta(minutes=minute) for minute in (start_minute, end_minute))
    return add_session("Race", Window(start, end), channel_ids, allow_overlap=True)


def test_a_line_has_the_keys_that_are_promised(export: Export) -> None:
    exported = rich_message(
        timestamp=at(0),
        timestampEdited=at(1),
        reactions=[reaction(user(2), user(3))],
        poll={"question": "Which cake?", "answers": [{"id": 1, "text": "Apple"}]},
        components=[{"type": "ActionRow", "components": []}],
    )
    export.store(exported)
    session = session_of(0, 10, CHANNEL_ID)

    (line,) = export.lines()

    assert line == {
        "discord_id": str(FIRST_ID),
        "channel_id": str(CHANNEL_ID),
        "session": session.pk,
        "type": "Reply",
        "timestamp": "2024-04-27T12:00:00+00:00",
        "edited_at": "2024-04-27T12:01:00+00:00",
        "deleted_at": None,
        "author": exported["author"],
        "content": exported["content"],
        "reply_to": "11",
        "attachments": exported["attachments"],
        "embeds": exported["embeds"],
        "reactions": exported["reactions"],
        "stickers": exported["stickers"],
        "mentions": exported["mentions"],
        "components": exported["components"],
        "author_id": exported["author"]["id"],
        "is_pinned": True,
        "reference": exported["reference"],
        "forwarded_message": exported["forwardedMessage"],
        "poll": exported["poll"],
        "interaction": exported["interaction"],
    }
    assert tuple(line) == KEYS


def test_a_message_of_an_old_exporter_has_the_same_keys(export: Export) -> None:
    export.store({"id": "5", "timestamp": at(0)})

    (line,) = export.lines()

    assert tuple(line) == KEYS
    assert line["content"] == ""
    assert (line["author"], line["session"], line["reply_to"]) == (None, None, None)
    assert (line["reactions"], line["mentions"]) == ([], [])


@pytest.mark.parametrize(
    ("kind", "is_reply"),
    [("Reply", True), ("19", True), ("Default", False), ("ChannelPinnedMessage", False)],
)
def test_only_a_reply_is_a_reply(export: Export, kind: str, is_reply: bool) -> None:
    reference = {"messageId": "11", "channelId": "12", "guildId": "13"}
    export.store(message(type=kind, reference=reference))

    (line,) = export.lines()

    assert line["reply_to"] == ("11" if is_reply else None)
    assert line["reference"] == reference


def test_whatever_other_programs_wrote_comes_back(export: Export) -> None:
    odd = {"reference": "11", "author": {"name": 5}, "attachments": {"0": "a.png"}}
    export.store(message(0, **odd), message(1, reference=None, embeds=None))

    first, second = export.lines()

    assert (first["reply_to"], first["attachments"]) == (None, {"0": "a.png"})
    assert (second["reply_to"], second["embeds"]) == (None, [])
    assert [row["author"] for row in export.table()] == ["", "Nickname 1"]


def test_messages_come_in_the_order_of_their_time(export: Export) -> None:
    export.store(
        message(9, timestamp=at(1)), message(3, timestamp=at(0)), message(2, timestamp=at(1))
    )

    assert [int(line["discord_id"]) - FIRST_ID for line in export.lines()] == [3, 2, 9]


def test_only_the_messages_of_the_session_come(export: Export) -> None:
    export.store(*(message(minute, timestamp=at(minute)) for minute in range(5)))
    export.store(message(100, timestamp=at(2)), channel_id=7)
    session = session_of(1, 3, CHANNEL_ID)

    lines = export.lines("--session", str(session.pk))

    assert [int(line["discord_id"]) - FIRST_ID for line in lines] == [1, 2]
    assert {line["session"] for line in lines} == {session.pk}
    everything = {int(line["discord_id"]) - FIRST_ID: line["session"] for line in export.lines()}
    inside = session.pk
    assert everything == {0: None, 1: inside, 2: inside, 3: None, 4: None, 100: None}


def test_a_message_of_two_sessions_belongs_to_the_one_that_starts_first(export: Export) -> None:
    export.store(message(timestamp=at(5)))
    second = session_of(2, 10, CHANNEL_ID)
    first = session_of(1, 10, CHANNEL_ID)

    assert export.lines()[0]["session"] == first.pk
    assert export.lines("--session", str(second.pk))[0]["session"] == second.pk


def test_a_session_that_is_not_there_is_named(export: Export) -> None:
    assert export.commands("export_messages", "--session", "9" * 20, status=2).startswith(
        "There is no session 99999999999999999999"
    )


@pytest.mark.parametrize(
    ("arguments", "has_deleted"),
    [
        ((), True),
        (("--format", "csv"), False),
        (("--with-deleted",), True),
        (("--no-with-deleted",), False),
        (("--format", "csv", "--with-deleted"), True),
    ],
)
def test_deleted_messages_come_as_jsonl_unless_told_otherwise(
    export: Export, arguments: tuple[str, ...], has_deleted: bool
) -> None:
    export.store(message(0, timestamp=at(1)), message(1, timestamp=at(1)))
    Message.objects.filter(pk=FIRST_ID).update(deleted_at=NOON)

    output = export.commands("export_messages", *arguments)

    assert (str(FIRST_ID) in output) == has_deleted
    assert str(FIRST_ID + 1) in output
    assert (NOON.isoformat() in output) == has_deleted


def test_a_table_has_a_head_and_lists_as_json(export: Export) -> None:
    text = 'a "quoted", line\nand \u00fc another'
    exported = rich_message(content=text, author=user(nickname="Ana, \U0001f3c1"))
    export.store(exported)

    (row,) = export.table()

    assert tuple(row) == KEYS
    assert row["content"] == text
    assert row["author"] == "Ana, \U0001f3c1"
    assert json.loads(row["reactions"]) == exported["reactions"]
    assert row["deleted_at"] == row["session"] == ""


def test_an_empty_database_gives_no_line_and_a_table_its_head(export: Export) -> None:
    assert export.commands("export_messages") == ""
    assert export.commands("export_messages", "--format", "csv") == ",".join(KEYS) + "\n"


@pytest.mark.parametrize("output_format", ["jsonl", "csv"])
def test_characters_that_no_file_can_hold_come_as_escapes_or_replaced(
    export: Export, tmp_path: Path, output_format: str
) -> None:
    odd = message(
        content="\ud83d\0 \U0001f3c1", author=user(nickname="\ude00"), mentions=[{"name": "\udead"}]
    )
    export.store(odd)
    path = tmp_path / "out"

    export.commands("export_messages", "--format", output_format, "--output", str(path))

    text = path.read_bytes().decode()
    if output_format == "jsonl":
        line = json.loads(text)
        assert line["content"] == "\ufffd\u2400 \U0001f3c1"
        assert line["author"] == odd["author"]
        assert line["mentions"] == odd["mentions"]
    else:
        assert "\ufffd\u2400 \U0001f3c1" in text
        assert json.loads(next(csv.DictReader(io.StringIO(text)))["mentions"]) == odd["mentions"]


FORMULAS = ["=1+1", "+1", "-2+3", "@SUM(A1)", " =1", "\t=1", "\r\n@x", "\uff1d1+1", "\uff20x"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_a_formula(export: Export, text: str) -> None:
    export.store(message(content=text, author=user(nickname=text)))

    (row,) = export.table()

    assert row["content"] == "'" + text.replace("\r\n", "\n")
    assert row["author"] == "'" + inert(text)


@pytest.mark.parametrize("text", ["1=1", "a@b", "'=1", "\N{MINUS SIGN}5", ""])
def test_other_cells_are_as_typed(export: Export, text: str) -> None:
    export.store(message(content=text))

    assert export.table()[0]["content"] == text


def test_a_table_holds_no_bare_carriage_return(export: Export, tmp_path: Path) -> None:
    export.store(message(content="a\r\nb\rc", author=user(nickname="x\ry")))
    path = tmp_path / "race.csv"

    export.commands("export_messages", "--format", "csv", "--output", str(path))

    assert b"\r" not in path.read_bytes()
    assert export.table()[0]["content"] == "a\nb\nc"


def test_excel_finds_a_mark_of_the_encoding_and_whole_ids(export: Export, tmp_path: Path) -> None:
    export.store(message(content="=1+1", type="Reply", reference={"messageId": "11"}))
    path = tmp_path / "race.csv"

    export.commands("export_messages", "--excel", "--output", str(path))

    assert path.read_bytes().startswith(b"\xef\xbb\xbfdiscord_id,")
    (row,) = csv.DictReader(io.StringIO(path.read_text("utf-8-sig")))
    assert row["discord_id"] == f'="{FIRST_ID}"'
    assert row["channel_id"] == f'="{CHANNEL_ID}"'
    assert (row["reply_to"], row["author_id"]) == ('="11"', f'="{user()["id"]}"')
    assert (row["content"], row["session"]) == ("'=1+1", "")


def test_excel_reads_no_json_lines(export: Export) -> None:
    output = export.commands("export_messages", "--excel", "--format", "jsonl", status=2)

    assert output == "--excel is for a CSV table: leave --format jsonl out.\n"


# A file instead of standard output.


def test_a_file_is_written_whole_and_told(export: Export, tmp_path: Path) -> None:
    export.store(message(0), message(1))
    path = tmp_path / "race.jsonl"

    output = export.commands("export_messages", "--output", str(path))

    assert output == f"2 messages written to {path}\n"
    assert len(path.read_text().splitlines()) == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["import.json", "race.jsonl"]


def test_a_file_that_fails_midway_leaves_what_was_there(export: Export, tmp_path: Path) -> None:
    export.store(message(0), message(1))
    Message.objects.filter(pk=FIRST_ID + 1).update(raw="damaged")
    path = tmp_path / "race.jsonl"
    path.write_text("the former export")

    with pytest.raises(json.JSONDecodeError):
        export.commands("export_messages", "--output", str(path))

    assert path.read_text() == "the former export"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["import.json", "race.jsonl"]


def test_a_link_goes_on_pointing_at_its_file(export: Export, tmp_path: Path) -> None:
    export.store(message())
    (tmp_path / "latest").symlink_to(tmp_path / "race.jsonl")

    export.commands("export_messages", "--output", str(tmp_path / "latest"))

    assert (tmp_path / "latest").is_symlink()
    assert len((tmp_path / "race.jsonl").read_text().splitlines()) == 1


def test_a_device_is_written_to_and_not_replaced(export: Export, tmp_path: Path) -> None:
    export.store(message())
    device = tmp_path / "null"
    device.symlink_to("/dev/null")

    export.commands("export_messages", "--output", str(device))

    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert device.is_symlink()


@pytest.mark.parametrize(
    ("name", "words"),
    [("none/race.jsonl", "No such file"), ("", "Is a directory"), ("import.json/x", "Not a dir")],
)
def test_a_file_that_cannot_be_written_is_a_sentence(
    export: Export, tmp_path: Path, name: str, words: str
) -> None:
    export.store(message())

    output = export.commands("export_messages", "--output", f"{tmp_path}/{name}", status=2)

    assert words in output
    assert output.count("\n") == 1


# Standard output of a process.


@pytest.fixture
def many_messages(manage: Manage, tmp_path: Path) -> None:
    """More than a pipe holds."""
    long = [message(number, content="x" * 1000) for number in range(500)]
    (tmp_path / "many.json").write_bytes(minified(document(*long)))
    manage("import_messages", str(tmp_path / "many.json"))


def run(manage: Manage, command: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of bash in which $export is the command."""
    export = f"{sys.executable} {MANAGE} export_messages"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=manage.environ | {"export": export} | environ,
        capture_output=True,
    )


@pytest.mark.parametrize("reader", ["head -n 1", "true"])
@pytest.mark.usefixtures("many_messages")
def test_a_reader_that_goes_away_is_no_failure(manage: Manage, reader: str) -> None:
    done = run(manage, f"$export | {reader}")

    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_that_was_never_there_is_no_failure(manage: Manage) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, MANAGE, "session", "list"],
        env=manage.environ,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["$export", f"{sys.executable} {MANAGE} session list"])
@pytest.mark.usefixtures("many_messages")
def test_a_full_disk_is_a_sentence(manage: Manage, command: str) -> None:
    done = run(manage, f"{command} >/dev/full")

    assert done.returncode == 2
    assert done.stderr == b"The output cannot be written (No space left on device).\n"


def test_the_output_is_utf_8_whatever_the_locale(manage: Manage, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_bytes(minified(document(message(content="\u00fc\r\n"))))
    manage("import_messages", str(tmp_path / "one.json"))

    done = run(manage, "$export", LC_ALL="C", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")

    assert json.loads(done.stdout.decode())["content"] == "\u00fc\r\n"

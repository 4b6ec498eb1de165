"""`import_messages FILE…`: what is valid is stored whole, what is not is told, nothing is lost."""

from __future__ import annotations

import errno
import gzip
import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from messages_app.models import Channel, Message, Poll, Revision
from tests.commands import MANAGE, Commands, Manage
from tests.export_documents import (
    CHANNEL_ID,
    FIRST_ID,
    Json,
    as_exported,
    document,
    message,
    minified,
    reaction,
    rich_message,
    user,
)

POSTED = datetime(2024, 4, 27, 18, 0, 0, 123000, tzinfo=UTC)
EXPORTED = datetime(2024, 4, 28, 8, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def commands(commands: Commands, reading_way: None) -> Commands:
    """The commands, in both ways of reading a file."""
    return commands


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


def write(folder: Path, content: bytes | Json, name: str = "export.json") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else as_exported(content))
    return str(path)


def stored(number: int = 0) -> Message:
    return Message.objects.get(pk=FIRST_ID + number)


def rows() -> list[object]:
    """All that an import may change."""
    return [
        *Message.objects.order_by("discord_id").values(),
        *Revision.objects.order_by("id").values(),
        *Channel.objects.values(),
    ]


def test_an_export_is_stored_whole(commands: Commands, folder: Path) -> None:
    exported = [message(0), rich_message(1)]

    output = commands("import_messages", write(folder, document(*exported)))

    assert re.fullmatch(r"2 read, 2 new, 0 edited, 0 deleted, 0 unchanged, in \d+\.\d s\n", output)
    assert [json.loads(stored(number).raw) for number in (0, 1)] == exported
    row = stored(1)
    assert (row.channel_id, row.timestamp, row.type) == (CHANNEL_ID, POSTED, "Reply")
    assert row.edited_at == datetime(2024, 4, 27, 18, 0, 5, 500000, tzinfo=UTC)
    assert (row.author_id, row.author_name) == (200000000000000001, "Nickname 1")
    assert row.content == 'a "quoted"\nline, gr\u00fc\u00dfe, \N{CHEQUERED FLAG}'
    assert row.has_attachments
    assert (row.deleted_at, row.changed_at) == (None, EXPORTED)
    channel = Channel.objects.get()
    assert (channel.name, channel.category, channel.guild_name) == ("live", "Races", "Guild")


def test_an_import_of_files_needs_neither_exporter_nor_token(
    commands: Commands, folder: Path
) -> None:
    commands(
        *("import_messages", write(folder, document(message()))),
        POLLER_EXPORTER="/nowhere",
        DISCORD_TOKEN="",
    )

    assert Message.objects.count() == 1
    assert not Poll.objects.exists()


def test_the_same_file_again_changes_nothing(commands: Commands, folder: Path) -> None:
    path = write(folder, document(message(), rich_message(1)))
    commands("import_messages", path)
    before = rows()

    output = commands("import_messages", path, path)

    assert output.startswith("4 read, 0 new, 0 edited, 0 deleted, 4 unchanged")
    assert rows() == before


ODD = {
    "empty text": message(content=""),
    "null text": message(content=None),
    "unknown type": message(type="46"),
    "unknown key": message(poll={"question": "who?", "answers": [1, 2.5, None, True]}),
    "missing keys": {"id": str(FIRST_ID), "timestamp": "2024-04-27T18:00:00.123Z"},
    "old exporter": message(stickers=..., mentions=..., inlineEmojis=..., reactions=...),
    "no author": message(author=None),
    "90 KB": message(
        content="x" * 4000, reactions=[reaction(*(user(number) for number in range(232)))]
    ),
    "emoji": message(content="\N{CHEQUERED FLAG}\N{ZERO WIDTH JOINER}\u2764\ufe0f"),
    "quotes": message(content="'; DROP TABLE messages_app_message; -- \\ \" %s %(x)s {}"),
    "7-digit fraction": message(timestamp="2024-04-27T18:00:00.1230000+00:00"),
    "local offset": message(timestamp="2024-04-27T23:45:00.123+05:45"),
}


@pytest.mark.parametrize("write_json", [as_exported, minified])
@pytest.mark.parametrize("oddity", ODD)
def test_nothing_is_dropped_for_being_odd(
    commands: Commands, folder: Path, oddity: str, write_json: object
) -> None:
    assert callable(write_json)
    exported = document(message(-1), ODD[oddity], message(1))

    output = commands("import_messages", write(folder, write_json(exported)))

    assert output.startswith("3 read, 3 new")
    assert stored().timestamp == POSTED
    assert stored().content == (ODD[oddity].get("content") or "")
    assert stored().type == ODD[oddity].get("type", "Default")
    assert json.loads(stored().raw) == ODD[oddity]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\0b", "a\u2400b"), ("a\ud83db", "a\ufffdb"), ("\ude00\ud83d", "\ufffd\ufffd")],
)
def test_characters_that_a_database_refuses_are_shown_and_kept(
    commands: Commands, folder: Path, text: str, shown: str
) -> None:
    exported = message(content=text, author=user(nickname=text))

    commands("import_messages", write(folder, minified(document(exported))))

    row = stored()
    assert (row.content, row.author_name) == (shown, shown)
    assert json.loads(row.raw) == exported


UNUSABLE = {
    "empty file": (b"", "The export is empty"),
    "HTML": (b"<!DOCTYPE html><html></html>", "it is an HTML page or XML, not JSON"),
    "garbage": (b"\x7fELF garbage", "it is not a JSON object"),
    "gzip": (gzip.compress(as_exported(document(message()))), "is compressed (gzip)"),
    "another document": (b'{"name": "package", "version": 1}', "it holds no messages"),
    "a list": (b"[]", "it is not a JSON object"),
    "cut in the head": (as_exported(document(message()))[:60], "cut short"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_is_no_export_is_one_sentence_and_changes_nothing(
    commands: Commands, folder: Path, kind: str
) -> None:
    commands("import_messages", write(folder, document(message())))
    before = rows()
    content, words = UNUSABLE[kind]
    path = write(folder, content)

    output = commands("import_messages", path, status=65)

    sentence, tally = output.splitlines()
    assert sentence.startswith(f"{path}: ")
    assert words in sentence
    assert tally.startswith("0 read")
    assert rows() == before


@pytest.mark.parametrize("cut_at", [0.999, 0.7, 0.4])
def test_the_messages_before_a_cut_are_stored(
    commands: Commands, folder: Path, cut_at: float
) -> None:
    whole = as_exported(document(*(message(number) for number in range(40))))

    output = commands(
        "import_messages", write(folder, whole[: round(len(whole) * cut_at)]), status=65
    )

    assert "The export is cut short" in output
    count = Message.objects.count()
    assert 10 < count <= 40
    assert f"{count} read, {count} new" in output


def test_an_impossible_message_costs_itself_alone(commands: Commands, folder: Path) -> None:
    path = write(folder, document(message(0), message(1, id="none"), message(2)))

    output = commands("import_messages", path, status=65)

    assert "Message 2 of the export has an id that is not a snowflake" in output
    assert "2 read, 2 new" in output
    stored_ids = Message.objects.order_by("discord_id").values_list("discord_id", flat=True)
    assert list(stored_ids) == [FIRST_ID, FIRST_ID + 2]


def test_a_wrong_count_is_a_warning_only(commands: Commands, folder: Path) -> None:
    path = write(folder, document(message(), messageCount=7))

    warning, tally = commands("import_messages", path).splitlines()

    assert warning == (
        f"{path}: it says that it holds 7 messages, but holds 1; all of them are imported."
    )
    assert tally.startswith("1 read, 1 new")


def test_a_file_that_tells_no_count_is_taken_as_it_is(commands: Commands, folder: Path) -> None:
    assert commands(
        "import_messages", write(folder, document(message(), messageCount=...))
    ).startswith("1 read, 1 new")


def test_an_export_without_messages_makes_its_channel_known(
    commands: Commands, folder: Path
) -> None:
    assert commands("import_messages", write(folder, document())).startswith("0 read")

    assert Channel.objects.get().name == "live"


@pytest.mark.parametrize("between", [0, 1500], ids=["in one batch", "in two batches"])
def test_a_message_that_is_twice_in_a_file_is_stored_once(
    commands: Commands, folder: Path, between: int
) -> None:
    others = [message(10 + number) for number in range(between)]

    commands("import_messages", write(folder, document(message(), *others, message())))

    assert Message.objects.count() == 1 + between
    assert not Revision.objects.exists()


def test_a_folder_is_imported_with_all_that_is_in_it(commands: Commands, folder: Path) -> None:
    write(folder, document(message(0)), "b.json")
    write(folder, document(message(1)), "a.json")
    (folder / "2024" / "cat.json").mkdir(parents=True)
    write(folder / "2024", document(message(2)), "c.json")
    write(folder, b"not of interest", "notes.txt")

    passed_over, tally = commands("import_messages", str(folder)).splitlines()

    assert tally.startswith("3 read, 3 new")
    assert passed_over == f"Passed over, since they are no exports: {folder}/notes.txt."


DEBRIS = {
    "index.json": b'{"pages": ["a", "b"]}',
    "list.json": b'["one", "two"]',
    "._a.json": b"\0\5\x16\7",
    ".DS_Store": b"\0\0\0\1Bud1",
    "Thumbs.db": b"\xd0\xcf\x11\xe0",
    "a.html": b"<html></html>",
    "a.csv": b"AuthorID,Author,Date,Content\n",
    "a.json_Files/b.json": as_exported(document(message(7))),
    "__MACOSX/._a.json": b"\0\5\x16\7",
    ".git/c.json": as_exported(document(message(7))),
    "a\x1b[2Jb.txt": b"",
}


@pytest.mark.parametrize("name", DEBRIS)
def test_what_lies_beside_exports_is_passed_over_and_named(
    commands: Commands, folder: Path, name: str
) -> None:
    write(folder, document(message()), "EXPORT.JSON")
    (folder / name).parent.mkdir(exist_ok=True)
    write(folder, DEBRIS[name], name)

    passed_over, tally = commands("import_messages", str(folder)).splitlines()

    assert tally.startswith("1 read, 1 new")
    what = f"{name.split('/')[0]}/" if "/" in name else name.replace("\x1b", "?")
    assert passed_over == f"Passed over, since they are no exports: {folder}/{what}."


def test_of_much_that_is_passed_over_the_first_are_named(commands: Commands, folder: Path) -> None:
    write(folder, document(message()))
    for number in range(1200):
        write(folder, b"", f"{number:04}.png")

    passed_over, _ = commands("import_messages", str(folder)).splitlines()

    assert passed_over.endswith(f"{folder}/0009.png and 1,190 more.")


def test_what_is_named_on_the_command_line_must_be_an_export(
    commands: Commands, folder: Path
) -> None:
    index = write(folder, DEBRIS["index.json"], "index.json")

    assert "it holds no messages" in commands("import_messages", index, status=65)


def test_a_damaged_list_in_a_folder_is_not_passed_over(commands: Commands, folder: Path) -> None:
    write(folder, document(message()))
    write(folder, b'["one", ', "cut.json")

    assert "cut.json: The export is cut short" in commands(
        "import_messages", str(folder), status=65
    )


def test_a_bad_file_among_good_ones_stops_none_of_them(commands: Commands, folder: Path) -> None:
    write(folder, document(message(0)), "1.json")
    write(folder, b"<html>", "2.json")
    write(folder, document(message(1), messageCount=5), "3.json")
    write(folder, b"", "4.json")
    write(folder, document(message(2)), "5.json")

    output = commands("import_messages", str(folder), status=65)

    *told, tally = output.splitlines()
    assert [line.split(": ")[0] for line in told] == [f"{folder}/{n}.json" for n in (2, 3, 4)]
    assert tally.startswith("3 read, 3 new")
    assert Message.objects.count() == 3


def test_a_file_that_breaks_while_it_is_read_stops_none_of_the_others(
    commands: Commands, folder: Path
) -> None:
    good = write(folder, document(message()))

    output = commands("import_messages", "/proc/self/mem", good, status=65)

    # Nobody but root may open it, since the process hides its memory.
    reason = os.strerror(errno.EACCES if os.geteuid() else errno.EIO)
    assert output.startswith(f"/proc/self/mem: It cannot be read ({reason})")
    assert Message.objects.count() == 1


def test_a_file_that_may_not_be_read_stops_none_of_the_others(manage: Manage, folder: Path) -> None:
    good = write(folder, document(message()))
    secret = write(folder, document(message(1)), "secret.json")
    os.chmod(secret, 0)
    # Root may read everything, unless it gives that right away.
    as_anybody = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    done = subprocess.run(
        [
            *(as_anybody if os.geteuid() == 0 else []),
            *(sys.executable, MANAGE, "import_messages", secret, good),
        ],
        env=manage.environ,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 65, done.stderr
    assert done.stderr.startswith(f"{secret}: It cannot be read (Permission denied)")
    assert done.stdout.startswith("1 read, 1 new")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.json", "No such file or directory"),
        ("export.json/none.json", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("empty", "holds no JSON files"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_before_anything_is_imported(
    commands: Commands, folder: Path, name: str, words: str
) -> None:
    good = write(folder, document(message()))
    (folder / "empty").mkdir()

    output = commands("import_messages", good, str(folder / name), status=2)

    assert words in output
    assert output.count("\n") == 1
    assert rows() == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("export.json", "--start", "2026-05-01T18:00"),
        ("export.json", "--start", "", "--end", ""),
        ("export.json", "--session", "0"),
        ("export.json", "--channel", "201"),
        ("--start", "2026-05-01T18:00"),
        ("--end", "2026-05-01T18:00"),
        ("--start", "", "--end", "2026-05-01T18:00"),
        ("--start", "2026-05-01T18:00", "--end", "2026-05-01T18:00"),
        ("--start", "2026-05-01T18:00", "--end", "2026-05-01T17:00"),
        ("--start", "2080-05-01T18:00", "--end", "2080-05-01T19:00"),
        ("--start", "1999-05-01T18:00", "--end", "2026-05-01T19:00"),
        ("--start", "noon", "--end", "2026-05-01T18:00"),
        ("--start", "2024-05-01T18:00", "--end", "2024-05-01T19:00"),
        ("--start", "2024-05-01T18:00", "--end", "2024-05-01T19:00", "--channel", "chat"),
        ("--start", "2024-05-01T18:00", "--end", "2024-05-01T19:00", "--session", "7"),
    ],
)
def test_a_command_line_that_cannot_be_meant_is_one_sentence(
    commands: Commands, arguments: tuple[str, ...]
) -> None:
    output = commands("import_messages", *arguments, status=2)

    assert output.count("\n") == 1
    assert rows() == []
    assert not commands.state.exists()


# What the database learned later.


def test_an_edit_in_a_newer_file_is_taken_and_the_former_text_kept(
    commands: Commands, folder: Path
) -> None:
    commands("import_messages", write(folder, document(message(content="first"))))
    edit = message(content="second", timestampEdited="2024-04-28T09:00:00+00:00")
    newer = document(edit, exportedAt="2024-04-28T10:00:00+00:00")

    output = commands("import_messages", write(folder, newer))

    assert output.startswith("1 read, 0 new, 1 edited")
    assert stored().content == "second"
    revision = Revision.objects.get()
    assert (revision.content, revision.edited_at) == ("first", None)
    assert revision.replaced_at == datetime(2024, 4, 28, 10, tzinfo=UTC)


def test_an_old_export_over_newer_data_changes_nothing_newer(
    commands: Commands, folder: Path
) -> None:
    newer = document(
        message(0, content="as it is now"),
        exportedAt="2024-05-01T00:00:00Z",
        channel={"id": str(CHANNEL_ID), "name": "new-name"},
    )
    commands("import_messages", write(folder, newer))
    before = rows()
    old = document(message(0, content="as it was"), exportedAt="2024-04-28T00:00:00Z")

    assert commands("import_messages", write(folder, old)).startswith("1 read, 0 new, 0 edited")
    assert rows() == before


def test_an_old_export_adds_what_is_missing(commands: Commands, folder: Path) -> None:
    commands("import_messages", write(folder, document(message(0))))
    old = document(message(0), message(1), exportedAt="2024-04-27T19:00:00Z")

    assert commands("import_messages", write(folder, old)).startswith("2 read, 1 new, 0 edited")


def test_what_only_looks_different_is_no_edit(commands: Commands, folder: Path) -> None:
    commands("import_messages", write(folder, document(message())))
    renamed = message(author=user(nickname="Renamed", avatarUrl="https://cdn.example/b.png"))
    later = document(renamed, exportedAt="2024-05-01T00:00:00Z")

    assert commands("import_messages", write(folder, later)).startswith(
        "1 read, 0 new, 0 edited, 0 deleted, 1 unchanged, in"
    )
    assert not Revision.objects.exists()
    assert (stored().content, stored().edited_at) == ("text 0", None)
    assert stored().author_name == "Renamed"  # as the newest file shows it
    assert json.loads(stored().raw) == renamed


@pytest.mark.parametrize(("hours", "is_back"), [(1, True), (0, False), (-1, False)])
def test_a_deleted_message_comes_back_only_with_a_later_export(
    commands: Commands, folder: Path, hours: int, is_back: bool
) -> None:
    commands("import_messages", write(folder, document(message())))
    deleted_at = EXPORTED + timedelta(days=1)
    Message.objects.update(deleted_at=deleted_at)
    exported_at = (deleted_at + timedelta(hours=hours)).isoformat()

    output = commands("import_messages", write(folder, document(message(), exportedAt=exported_at)))

    assert f"{int(is_back)} edited" in output
    assert stored().deleted_at == (None if is_back else deleted_at)
    assert not Revision.objects.exists()


def test_a_file_never_tells_what_was_deleted(commands: Commands, folder: Path) -> None:
    commands("import_messages", write(folder, document(message(0), message(1))))

    later = document(message(0), exportedAt="2024-05-01T00:00:00Z")
    assert "0 deleted" in commands("import_messages", write(folder, later))

    assert not Message.objects.exclude(deleted_at=None).exists()


def test_a_file_that_does_not_say_when_it_was_made_is_as_old_as_its_messages(
    commands: Commands, folder: Path
) -> None:
    edited = message(0, content="edited", timestampEdited="2024-04-27T18:30:00+00:00")
    commands("import_messages", write(folder, document(edited, message(1), exportedAt=...)))

    assert stored(0).changed_at == datetime(2024, 4, 27, 18, 30, tzinfo=UTC)
    assert stored(1).changed_at == POSTED

    older = message(0, content="before the edit")
    newer = message(1, content="after an edit", timestampEdited="2024-04-27T18:40:00+00:00")
    output = commands("import_messages", write(folder, document(older, newer, exportedAt=...)))

    assert output.startswith("2 read, 0 new, 1 edited")
    assert (stored(0).content, stored(1).content) == ("edited", "after an edit")


# On a terminal, and in a pipe.


def test_standard_input_is_an_export_too(manage: Manage) -> None:
    done = subprocess.run(
        [sys.executable, MANAGE, "import_messages", "-"],
        env=manage.environ,
        input=as_exported(document(message())),
        capture_output=True,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"1 read, 1 new")
    assert done.stderr == b""


def test_a_bad_standard_input_is_one_sentence(manage: Manage) -> None:
    done = subprocess.run(
        [sys.executable, MANAGE, "import_messages", "-"],
        env=manage.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 65
    assert done.stderr.startswith("-: The export is empty")
    assert done.stderr.count("\n") == 1


def test_a_terminal_shows_a_progress_bar_and_in_the_end_none(manage: Manage, folder: Path) -> None:
    path = write(folder, document(*(message(number) for number in range(2000))), "a\x1b[2J.json")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, MANAGE, "import_messages", path],
        env=manage.environ,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = _all_of(ours)
        assert process.stdout is not None
        assert process.stdout.read().startswith(b"2000 read, 2000 new")

    assert process.returncode == 0
    assert "\r\033[Ka?[2J.json [\u2588\u2588\u2588" in shown
    assert "100% 2000 read" in shown
    assert shown.endswith("\r\033[K")
    assert max(len(line) for line in re.split(r"\r\033\[K", shown)) < 80


def test_a_pipe_shows_no_progress_bar(manage: Manage, folder: Path) -> None:
    output = manage("import_messages", write(folder, document(message())))

    assert "\r" not in output
    assert output.count("\n") == 1


def _all_of(terminal: int) -> str:
    """What is written to a terminal until its other end is closed."""
    shown = b""
    try:
        while data := os.read(terminal, 4096):
            shown += data
    except OSError:  # EIO is how a terminal's end is told
        pass
    os.close(terminal)
    return shown.decode()

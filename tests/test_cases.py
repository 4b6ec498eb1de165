"""Exports that once came in wrong, and what is right: each folder of `cases/` stands for a kind."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client

from messages_app.models import Channel, Message, Revision, Session
from messages_app.scheduling import add_session
from messages_app.windows import Window
from tests.commands import Commands

CASES = Path(__file__).parent / "cases"


def files_of(case: str) -> list[str]:
    return sorted(str(path) for path in (CASES / case).iterdir())


def stored() -> list[Any]:
    """All that an import may change."""
    return [
        *Message.objects.order_by("discord_id").values(),
        *Revision.objects.order_by("message_id", "edited_at").values(
            "message_id", "content", "edited_at", "replaced_at"
        ),
        *Channel.objects.order_by("discord_id").values(),
    ]


def forget() -> None:
    Message.objects.all().delete()
    Channel.objects.all().delete()


def texts() -> list[str]:
    return list(Message.objects.in_time_order().values_list("content", flat=True))


SESSION = Window(datetime(2026, 5, 1, 19, tzinfo=UTC), datetime(2026, 5, 1, 21, tzinfo=UTC))
CHANNEL_ID = 800000000000000001


@pytest.fixture
def session(db: None) -> Session:
    return add_session("Sample", SESSION, [CHANNEL_ID])


@pytest.fixture
def browser(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("ada", password="race-day-2026"))
    return client


def downloaded(browser: Client, session: Session, kind: str) -> str:
    response = browser.get(f"/sessions/{session.pk}/download/{kind}/")
    assert isinstance(response, StreamingHttpResponse)
    return response.getvalue().decode()


def page_of(browser: Client, session: Session) -> str:
    response = browser.get(f"/sessions/{session.pk}/")
    assert response.status_code == 200
    return response.content.decode()


def lines_of(commands: Commands) -> list[dict[str, Any]]:
    return [json.loads(line) for line in commands("export_messages").splitlines()]


def test_archive_folder(commands: Commands) -> None:
    folder = CASES / "archive-folder"

    passed_over, tally = commands("import_messages", str(folder)).splitlines()

    assert passed_over.replace(f"{folder}/", "") == (
        "Passed over, since they are no exports: "
        "__MACOSX/, general.html, general.json_Files/, index.json."
    )
    assert tally.startswith("3 read, 3 new")
    assert texts() == ["plain", "", "upper case ending"]


@pytest.mark.parametrize(
    ("name", "words", "imported"),
    [
        ("nozone.json", "Message 2 of the export has a timestamp that is not a time with an", 2),
        ("gz.json", "is compressed (gzip)", 0),
        ("zip.json", "is compressed (zip)", 0),
        ("fork-normalised.json", "laid out as another program does it", 0),
    ],
)
def test_wrong(commands: Commands, name: str, words: str, imported: int) -> None:
    told, tally = commands("import_messages", str(CASES / "wrong" / name), status=65).splitlines()

    assert words in told
    assert tally.startswith(f"{imported} read, {imported} new")
    assert Message.objects.count() == imported


@pytest.mark.parametrize("path", files_of("surrogate"), ids=lambda path: Path(path).stem)
def test_surrogate(commands: Commands, browser: Client, session: Session, path: str) -> None:
    commands("import_messages", path)

    shown = page_of(browser, session) + downloaded(browser, session, "html")
    if Path(path).stem != "reference":  # of which nothing is shown
        assert "\ufffd" in shown
    (line,) = downloaded(browser, session, "jsonl").splitlines()
    assert line == commands("export_messages").rstrip("\n")
    assert len(list(csv.DictReader(io.StringIO(downloaded(browser, session, "csv"))))) == 1


def test_extreme_times(commands: Commands, browser: Client, session: Session) -> None:
    commands("import_messages", *files_of("extreme-times"))
    browser.cookies["zone"] = "Asia/Tokyo"

    page = page_of(browser, session)

    assert "min edited" in page
    assert "max edited" in page


def test_spreadsheet(commands: Commands, session: Session) -> None:
    (path,) = files_of("spreadsheet")
    exported = json.loads(Path(path).read_text())["messages"]
    commands("import_messages", path)

    table = commands("export_messages", "--format", "csv")

    rows = list(csv.DictReader(io.StringIO(table)))
    assert [row["discord_id"] for row in rows] == [message["id"] for message in exported]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())


def test_polls(commands: Commands) -> None:
    (path,) = files_of("polls")
    exported = json.loads(Path(path).read_text())["messages"]
    commands("import_messages", path)

    for line, message in zip(lines_of(commands), exported, strict=True):
        assert line["poll"] == message.get("poll")
        assert line["components"] == message.get("components", [])
        assert line["interaction"] == message.get("interaction")


def test_forwarded(commands: Commands) -> None:
    (path,) = files_of("forwarded")
    exported = json.loads(Path(path).read_text())["messages"][1]
    commands("import_messages", path)

    _, line = lines_of(commands)

    assert line["forwarded_message"] == exported["forwardedMessage"]
    assert line["reference"] == exported["reference"]
    assert line["reply_to"] is None


def test_blank(commands: Commands) -> None:
    seeing, blind = files_of("blank")
    commands("import_messages", seeing)
    before = stored()

    told, tally = commands("import_messages", blind).splitlines()

    assert tally.startswith("5 read, 0 new, 0 edited, 0 deleted, 5 unchanged")
    assert told == (
        f"{blind}: 4 messages are shown without the text and files that they had; what is stored "
        "stays. A bot that lost the Message Content intent sees no more."
    )
    assert said(before) == said(stored())
    forget()
    commands("import_messages", blind)
    commands("import_messages", seeing)
    assert said(before) == said(stored())


def said(rows: list[Any]) -> list[Any]:
    """Of what is stored, what messages say, without when the export was made."""
    keys = ("discord_id", "content", "edited_at", "has_attachments", "deleted_at")
    return [tuple(row.get(key) for key in keys) for row in rows]


@pytest.mark.parametrize("case", ["blank", "markdown", "exporter-words", "media"])
def test_no_edit_in_any_order(commands: Commands, case: str) -> None:
    expected = None
    for order in permutations(files_of(case)):
        for path in order:
            assert " 0 edited" in commands("import_messages", path)
        expected = expected or stored()
        assert stored() == expected
        assert not Revision.objects.exists()
        forget()


def test_markdown(commands: Commands) -> None:
    commands("import_messages", *files_of("markdown"))

    assert texts()[0] == (
        "<@700000000000000003> see <#800000000000000002> <:wave:900000000000000001> "
        "<t:1777665600:R>"
    )


def test_media(commands: Commands) -> None:
    commands("import_messages", *files_of("media"))

    for line in lines_of(commands):
        for attachment in line["attachments"]:
            assert attachment["url"].startswith("https://")
        for embed in line["embeds"]:
            assert "_Files" not in json.dumps(embed)


def test_order(commands: Commands) -> None:
    newer, older = files_of("order")
    expected = None
    for order in ((older, newer), (newer, older), (older, newer, older)):
        commands("import_messages", *order)
        expected = expected or stored()
        assert stored() == expected
        assert texts() == ["second text", "will be deleted", "same", "added"]
        assert list(Revision.objects.values_list("content", flat=True)) == ["first text"]
        forget()


def test_renamed_channel(commands: Commands) -> None:
    expected = None
    for order in permutations(files_of("renamed-channel")):
        commands("import_messages", *order)
        channel = Channel.objects.get()
        assert (channel.name, channel.category, channel.guild_name) == (
            *("lounge", "Hangout", "New Guild"),
        )
        expected = expected or stored()
        assert stored() == expected
        forget()


def test_thread_starter(commands: Commands) -> None:
    parent, thread = files_of("thread-starter")
    expected = None
    for order in ((parent, thread), (thread, parent), (parent, thread, parent, thread)):
        commands("import_messages", *order)
        channels = dict(Message.objects.values_list("content", "channel_id"))
        assert channels == {
            "hello parent": CHANNEL_ID,
            "Who brings the cake? starter": CHANNEL_ID,
            "Started a thread.": CHANNEL_ID,
            "I do (in thread)": 1499863020103270400,
        }
        expected = expected or stored()
        assert stored() == expected
        forget()

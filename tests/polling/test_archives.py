"""`import_messages FILE… --session-title TITLE`: a session of what came, which nobody polls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from messages_app.models import Message, Phase, Session
from messages_app.scheduling import add_session
from messages_app.snowflakes import first_id
from messages_app.windows import Window
from tests.commands import Commands
from tests.export_documents import CHANNEL_ID, Json, document, message, minified

NOON = datetime(2024, 4, 27, 12, tzinfo=UTC)
TITLE = "Spring 2024"


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def posted(minute: float, **changes: Any) -> Json:
    return message(id=str(first_id(at(minute))), timestamp=at(minute).isoformat(), **changes)


class Archive:
    """Imports files as an archive."""

    def __init__(self, commands: Commands, folder: Path) -> None:
        self.commands = commands
        self._folder = folder

    def __call__(self, *messages: Json, title: str = TITLE, status: int = 0, **changes: Any) -> str:
        path = self._folder / "export.json"
        path.write_bytes(minified(document(*messages, **changes)))
        arguments = ("import_messages", str(path), "--session-title", title)
        return self.commands(*arguments, status=status)


@pytest.fixture
def archive(commands: Commands, tmp_path: Path) -> Archive:
    return Archive(commands, tmp_path)


def only() -> Session:
    return Session.objects.get()


def test_an_archive_has_the_channels_and_the_span_of_the_files(archive: Archive) -> None:
    output = archive(posted(5), posted(0), posted(60))

    line, tally = output.splitlines()
    assert line == (
        f"session {only().pk} «{TITLE}», 2024-04-27 12:00:00 to 13:00:01 UTC, 1 channel: an archive"
    )
    assert tally.startswith("3 read, 3 new")
    assert only().window == Window(at(0), at(60) + timedelta(seconds=1))
    assert [feed.channel_id for feed in only().feeds.all()] == [CHANNEL_ID]
    assert Message.objects.of_session(only()).count() == 3


def test_more_files_under_the_title_extend_the_archive(archive: Archive) -> None:
    archive(posted(0))
    archive(posted(0))
    archive(posted(-30), posted(90), channel={"id": "7", "name": "other"})

    assert only().window == Window(at(-30), at(90) + timedelta(seconds=1))
    assert {feed.channel_id for feed in only().feeds.all()} == {CHANNEL_ID, 7}

    archive(posted(1), title="Another")
    assert Session.objects.count() == 2


def test_an_archive_is_never_polled_and_disturbs_nobody(archive: Archive) -> None:
    archive(posted(0), posted(60))
    now = datetime.now(UTC)

    for found in (
        Session.objects.live(at(30)),
        Session.objects.to_close(now),
        Session.objects.coming(at(-30)),
        Session.objects.overlapping(Window(at(0), at(60))),
    ):
        assert not found.exists()
    assert only().phase(at(30)) is only().phase(now) is Phase.ARCHIVE
    add_session("The race itself", Window(at(10), at(20)), [CHANNEL_ID])
    before = Session.objects.filter(is_archive=True).values().get()
    archive.commands("poll_recent_messages")
    assert Session.objects.filter(is_archive=True).values().get() == before


def test_status_stays_healthy(archive: Archive) -> None:
    archive(posted(0))

    told = json.loads(archive.commands("status", "--json", status=0))

    assert told["problems"] == []
    assert "imported from files" in archive.commands("session", "show", str(only().pk))


def test_where_a_message_belongs_an_archive_comes_last(archive: Archive, client: Client) -> None:
    archive(posted(0), posted(30))
    race = add_session("The race itself", Window(at(20), at(40)), [CHANNEL_ID])
    client.force_login(User.objects.create_user("ada"))

    lines = [json.loads(line) for line in archive.commands("export_messages").splitlines()]
    archived = Session.objects.get(is_archive=True)
    assert [line["session"] for line in lines] == [archived.pk, race.pk]
    for line in lines:
        response = client.get(f"/messages/{line['discord_id']}/")
        assert response["Location"].startswith(f"/sessions/{line['session']}/")


@pytest.mark.parametrize("days", [0, 3, 30, 3000])
def test_the_page_shows_an_archive_of_any_length_without_coverage(
    archive: Archive, client: Client, days: int
) -> None:
    archive(posted(-days * 24 * 60, content="long ago"), posted(10, content="not so long"))
    client.force_login(User.objects.create_user("ada"))

    page = client.get(f"/sessions/{only().pk}/").content.decode()

    assert "long ago" in page and "not so long" in page
    assert "It was made of imported files" in page
    for nothing in ("state-gap", 'class="strip"', 'class="gap"', "covered"):
        assert nothing not in page
    assert page.count("<title>") == 3  # the page's own, and a bar for each message
    assert only().title in client.get("/").content.decode()
    assert client.get(f"/api/sessions/{only().pk}/").json()["state"] == "archive"


def test_messages_of_impossible_times_make_no_impossible_session(archive: Archive) -> None:
    output = archive(
        posted(0),
        message(1, timestamp="0001-01-01T00:00:00Z"),
        message(2, timestamp="9999-12-31T23:59:59.999Z"),
        message(3, timestamp="2083-01-01T00:00:00Z"),
    )

    assert "4 read, 4 new" in output
    assert only().start_time.year == 2015
    assert only().end_time <= datetime.now(UTC)


@pytest.mark.parametrize(
    "messages", [(), (message(timestamp="0001-01-01T00:00:00Z"),)], ids=["none", "of year 1"]
)
def test_without_messages_there_is_no_archive(archive: Archive, messages: tuple[Json, ...]) -> None:
    assert "so there is no session to be made" in archive(*messages)
    assert not Session.objects.exists()


@pytest.mark.parametrize("title", ["", " ", "x" * 201, "two\nlines"])
def test_an_impossible_title_is_told_before_anything_is_imported(
    archive: Archive, title: str
) -> None:
    assert "A session's title" in archive(posted(0), title=title, status=2)
    assert not Message.objects.exists()


def test_a_title_goes_with_files_only(commands: Commands) -> None:
    output = commands(
        *("import_messages", "--start", "2024-05-01T18:00", "--end", "2024-05-01T19:00"),
        *("--session-title", TITLE),
        status=2,
    )

    assert output == "--session-title goes with files, not with --start and --end.\n"


def test_an_archive_can_be_renamed_but_not_moved(archive: Archive) -> None:
    archive(posted(0))
    edit = ("session", "edit", str(only().pk))

    archive.commands(*edit, "--title", "Better")
    assert (only().title, only().phase(at(0))) == ("Better", Phase.ARCHIVE)

    for change in (("--end", "2024-05-01T18:00Z"), ("--channel", "7")):
        assert "is an archive" in archive.commands(*edit, *change, status=2)
    assert only().feeds.get().channel_id == CHANNEL_ID

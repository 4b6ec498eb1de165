"""What `export_messages --raw` gives, `import_messages --raw` puts back as it was."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import transaction

from messages_app.database.store import mark_deleted, store_batch
from messages_app.document.rows import rows_of
from messages_app.models import Absence, Channel, Form, Kept, Message, Revision, Session
from messages_app.polling.file_import import import_file
from messages_app.windows import Window
from tests.commands import Commands
from tests.database.test_learn import at, imported
from tests.export_documents import (
    CHANNEL_ID,
    FIRST_ID,
    Json,
    attachment,
    document,
    message,
    reaction,
    reader_of,
    rich_message,
    user,
)

CASES = Path(__file__).parent.parent / "cases"
pytestmark = pytest.mark.usefixtures("read_here")


def polled(minute: float, *messages: Json) -> None:
    """Store what an export of our own showed of the whole channel."""
    Channel.objects.get_or_create(pk=CHANNEL_ID)
    rows = rows_of(reader_of(document(*messages)), CHANNEL_ID, at(minute))
    with transaction.atomic():
        store_batch(rows, now=at(9999))
        everywhen = Window(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
        seen = {row[0] for row in rows}
        mark_deleted(CHANNEL_ID, everywhen, seen, at(minute), at(9999), is_readable=True)


def everything() -> list[list[str]]:
    """Every column of every table that messages are in, but for numbers that tables count up."""
    return [
        sorted(str(row | {"id": None}) for row in table.objects.values())
        for table in (Channel, Message, Form, Revision, Absence, Kept)
    ]


def forget() -> None:
    Message.objects.all().delete()
    Channel.objects.all().delete()
    assert not any(everything())


def eventful() -> None:
    """Messages of every kind, with edits, deletions, a return and different exporters' views."""
    for path in sorted(CASES.glob("*/*.json")):
        import_file(io.BytesIO(path.read_bytes()), lambda _tally: None)
    gone = rich_message(id=str(FIRST_ID + 7), content="gone for good")
    back = message(id=str(FIRST_ID + 8), content="gone for a while")
    files = [attachment()]
    polled(0, message(content="first", attachments=files), gone, back)
    edited = message(
        content="second", timestampEdited=at(1).isoformat(), reactions=[reaction(users=[user()])]
    )
    polled(2, edited)
    polled(4, edited, back)
    imported(
        3, message(content="second", timestampEdited=at(1).isoformat(), reactions=[reaction()])
    )
    imported(6, message(content="third, \u2028 \ud800 \0", timestampEdited=at(5).isoformat()))
    assert Revision.objects.exclude(shown=None).exists()
    assert Absence.objects.exists()
    assert Kept.objects.exists()
    assert Message.objects.exclude(deleted_at=None).exists()


@pytest.mark.django_db
def test_into_an_empty_database_it_is_the_same(commands: Commands, tmp_path: Path) -> None:
    eventful()
    before = everything()
    first, second = (str(tmp_path / name) for name in ("first.jsonl", "second.jsonl"))
    commands("export_messages", "--raw", "--output", first)
    forget()

    said = commands("import_messages", "--raw", first)

    assert f"{Message.objects.count()} new" in said
    assert everything() == before
    commands("export_messages", "--raw", "--output", second)
    assert Path(second).read_bytes() == Path(first).read_bytes()


@pytest.mark.django_db
def test_where_it_is_stored_already_nothing_changes(commands: Commands, tmp_path: Path) -> None:
    eventful()
    before = everything()
    path = str(tmp_path / "all.jsonl")
    commands("export_messages", "--raw", "--output", path)

    said = commands("import_messages", "--raw", path)

    assert f"{Message.objects.count()} unchanged" in said
    assert everything() == before


@pytest.mark.django_db
@pytest.mark.parametrize("first", [0, 1])
def test_two_databases_come_together_to_what_one_would_hold(
    commands: Commands, tmp_path: Path, first: int
) -> None:
    def one() -> None:
        imported(0, message(content="hello", reactions=[reaction(users=[user()])]))
        imported(1, message(content="hello"), message(id=str(FIRST_ID + 1), content="ahoy"))

    def other() -> None:
        imported(3, message(content="hi", timestampEdited=at(2).isoformat()))

    one()
    other()
    together = everything()
    forget()
    path = str(tmp_path / "all.jsonl")
    apart = [one, other]
    apart[first]()
    commands("export_messages", "--raw", "--output", path)
    forget()
    apart[1 - first]()

    commands("import_messages", "--raw", path)

    assert everything() == together


@pytest.mark.django_db
def test_a_deletion_and_an_absence_come_along_to_a_message_that_is_known(
    commands: Commands, tmp_path: Path
) -> None:
    here, gone = message(), message(id=str(FIRST_ID + 1))
    polled(0, here, gone)
    polled(1, gone)
    polled(2, here, gone)
    polled(3, here)
    path = str(tmp_path / "all.jsonl")
    commands("export_messages", "--raw", "--output", path)
    forget()
    polled(0, here, gone)

    commands("import_messages", "--raw", path)

    assert Message.objects.get(pk=FIRST_ID + 1).deleted_at == at(3)
    assert Message.objects.get(pk=FIRST_ID).deleted_at is None
    assert Absence.objects.get().missed_at == at(1)

    # Seen after its deletion, it is not deleted.
    polled(4, here, gone)
    commands("import_messages", "--raw", path)
    assert Message.objects.get(pk=FIRST_ID + 1).deleted_at is None


@pytest.mark.django_db
def test_a_line_that_is_none_costs_itself_alone(commands: Commands, tmp_path: Path) -> None:
    imported(0, *(message(id=str(FIRST_ID + number)) for number in range(4)))
    path = tmp_path / "all.jsonl"
    commands("export_messages", "--raw", "--output", str(path))
    forget()
    lines = path.read_text().splitlines()
    of_later = json.loads(lines[2]) | {"discord_poller": 2}
    without_time = json.loads(lines[1]) | {"changed_at": "2026-05-01T12:00:00"}
    path.write_text("\n".join([lines[0], json.dumps(without_time), json.dumps(of_later), lines[3]]))

    said = commands("import_messages", "--raw", str(path), status=65)

    assert "line 2 is not what `export_messages --raw` writes" in said
    assert "line 3 is of another release's layout" in said
    assert Message.objects.count() == 2

    path.write_text(lines[0] + "\n" + lines[1][:300])
    said = commands("import_messages", "--raw", str(path), status=65)
    assert "line 2 is not what" in said


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ['{"messages": []}\n', "null\n", "[1]\n", "{" * 100_000, "\xff\xfe", '"discord_poller"']
)
def test_another_file_is_refused(commands: Commands, tmp_path: Path, text: str) -> None:
    path = tmp_path / "other"
    path.write_text(text, encoding="latin-1")

    said = commands("import_messages", "--raw", str(path), status=65)

    assert "The first line" in said
    assert said.count("\n") == 2


@pytest.mark.django_db
def test_without_the_option_it_is_told_to_give_it(commands: Commands, tmp_path: Path) -> None:
    imported(0, message(), message(id=str(FIRST_ID + 1)))
    path = str(tmp_path / "all.jsonl")
    commands("export_messages", "--raw", "--output", path)

    assert "import it with --raw" in commands("import_messages", path, status=65)
    assert "leave --format csv" in commands("export_messages", "--raw", "--excel", status=2)
    assert "goes with files" in commands(
        *("import_messages", "--raw", "--start", "2026-05-01T12:00Z"), status=2
    )


@pytest.mark.django_db
def test_it_makes_an_archive_of_all_channels(commands: Commands, tmp_path: Path) -> None:
    imported(0, message())
    other = {"channel": {"id": "77", "type": "GuildTextChat", "category": None, "name": "other"}}
    imported(0, message(id=str(FIRST_ID + 1)), **other)
    path = str(tmp_path / "all.jsonl")
    commands("export_messages", "--raw", "--output", path)
    forget()

    commands("import_messages", "--raw", path, "--session-title", "Both")

    session = Session.objects.get()
    assert set(session.feeds.values_list("channel_id", flat=True)) == {CHANNEL_ID, 77}
    assert Message.objects.of_session(session).count() == 2

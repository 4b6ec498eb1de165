"""What exports tell of messages that are stored: the newer edit, text and deletion win."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import psycopg2
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages_app.database import store
from messages_app.database.channels import store_channel
from messages_app.database.store import mark_deleted, store_batch
from messages_app.document.rows import COLUMNS, Row, rows_of, time_text
from messages_app.models import Absence, Channel, Kept, Message, Poll, Revision
from messages_app.polling.file_import import import_file
from messages_app.tally import Tally
from messages_app.windows import Window
from tests.document.test_merge import documents
from tests.export_documents import (
    CHANNEL_ID,
    FIRST_ID,
    Json,
    attachment,
    document,
    embed,
    message,
    minified,
    reaction,
    reader_of,
    rich_message,
    user,
)

pytestmark = pytest.mark.usefixtures("read_here")

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def rows(minute: float, *messages: Json) -> list[Row]:
    return rows_of(reader_of(document(*messages)), CHANNEL_ID, at(minute))


def polled(minute: float, *messages: Json, now: datetime = LATER) -> Tally:
    """Store what an export of our own, asked for at `minute`, showed."""
    Channel.objects.get_or_create(pk=CHANNEL_ID)
    with transaction.atomic():
        return store_batch(rows(minute, *messages), now=now)


def imported(minute: float, *messages: Json, **changes: Any) -> Tally:
    """Import a file that was exported at `minute`."""
    exported = document(*messages, **{"exportedAt": at(minute).isoformat()} | changes)
    outcome = import_file(io.BytesIO(minified(exported)), lambda _tally: None)
    assert outcome.failure is None
    return outcome.tally


def edit(minute: float, content: str, **changes: Any) -> Json:
    return message(content=content, timestampEdited=at(minute).isoformat(), **changes)


def stored() -> list[Any]:
    """All that an import may change."""
    return [
        *Message.objects.order_by("pk").values(),
        *Revision.objects.order_by("message_id", "edited_at").values(
            "message_id", "content", "edited_at", "replaced_at", "shown"
        ),
        *Kept.objects.order_by("pk").values(),
        *Absence.objects.order_by("message_id", "missed_at").values(
            "message_id", "last_seen_at", "missed_at", "back_at"
        ),
        *Channel.objects.order_by("pk").values(),
    ]


def forget() -> None:
    Message.objects.all().delete()
    Channel.objects.all().delete()


def only() -> Message:
    return Message.objects.get()


# A row is rewritten whole.


@pytest.mark.django_db
@pytest.mark.parametrize("way", [polled, imported])
def test_every_column_of_a_changed_message_is_that_of_the_new_export(way: Any) -> None:
    before = message(
        author=user(9), type="20", attachments=[attachment()], timestamp="2024-04-27T18:00:00Z"
    )
    after = rich_message(0, timestampEdited=at(1).isoformat(), timestamp="2024-04-27T18:00:01Z")
    way(0, before)

    assert way(2, after) == Tally(read=1, edited=1)

    expected = dict(zip(COLUMNS, rows(2, after)[0], strict=True))
    values = Message.objects.values(*COLUMNS).get()
    assert json.loads(values["raw"]) == after
    for column, value in expected.items():
        shown = values[column]
        assert (time_text(shown) if isinstance(shown, datetime) else shown) == value, column


# An edit is what moves the time of editing.


@pytest.mark.django_db
def test_an_edit_keeps_the_former_text_with_its_files_and_embeds() -> None:
    polled(0, message(content="first", attachments=[attachment()], embeds=[embed()]))

    assert polled(2, edit(1, "second")) == Tally(read=1, edited=1)

    revision = Revision.objects.get()
    assert (revision.content, revision.edited_at) == ("first", None)
    assert revision.replaced_at == at(2)
    assert revision.shown is not None
    shown = json.loads(revision.shown)
    assert (shown["attachments"], shown["embeds"]) == ([attachment()], [embed()])


@pytest.mark.django_db
def test_an_edit_of_the_files_alone_is_an_edit() -> None:
    polled(0, message(content="same", attachments=[attachment(1), attachment(2)]))

    assert polled(2, edit(1, "same", attachments=[attachment(1)])) == Tally(read=1, edited=1)

    assert Revision.objects.get().content == "same"


OTHERWISE: dict[str, tuple[Json, Json]] = {
    "a reaction": ({}, {"reactions": [reaction(user(2))]}),
    "a pin": ({}, {"isPinned": True}),
    "a preview": ({}, {"embeds": [embed()]}),
    "a preview gone": ({"embeds": [embed()]}, {"embeds": []}),
    "the deferred answer": ({"content": ""}, {"content": "now I know"}),
    "other words": ({"content": "Added a recipient."}, {"content": "Added Cleo to the group."}),
    "a kind's name": ({"type": "18"}, {"type": "ThreadCreated"}),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("before", "after"), OTHERWISE.values(), ids=OTHERWISE)
def test_what_is_no_edit_is_stored_as_another_change(before: Json, after: Json) -> None:
    polled(0, message(**before))

    assert polled(1, message(**before | after)) == Tally(read=1)

    assert Tally(read=1).otherwise_changed == 1
    assert json.loads(only().raw) == message(**before | after)
    assert not Revision.objects.exists()


@pytest.mark.django_db
def test_two_hosts_with_different_exporters_do_not_overwrite_one_another() -> None:
    def newer(votes: int) -> Json:
        reactions = [reaction(user(2), user(3))]
        return message(type="46", content="", poll={"votes": votes}, reactions=reactions)

    fewer = {key: value for key, value in reaction(user(2), user(3)).items() if key != "users"}
    older = message(type="PollResult", content="A poll has closed.", reactions=[fewer])
    polled(0, newer(1))
    polled(1, older)
    before = stored()

    for minute in range(2, 8):
        tally = polled(minute, newer(1) if minute % 2 else older)
        assert tally == Tally(read=1, unchanged=1)

    assert stored() == before
    assert polled(9, newer(2)).otherwise_changed == 1
    assert json.loads(only().raw)["poll"] == {"votes": 2}
    assert only().content == "A poll has closed."


@pytest.mark.django_db
def test_sight_that_was_lost_is_counted_and_changes_nothing() -> None:
    polled(0, message(content="text", attachments=[attachment()]), message(1, content=""))
    before = stored()

    tally = polled(1, message(content=""), message(1, content=""))

    assert tally == Tally(read=2, unchanged=2, blank=1)
    assert stored() == before


@pytest.mark.django_db
def test_a_stored_object_that_is_unreadable_is_replaced_and_its_text_kept() -> None:
    polled(0, message(content="first"))
    Message.objects.update(raw="damaged")

    assert polled(2, edit(1, "second")) == Tally(read=1, edited=1)

    assert json.loads(only().raw) == edit(1, "second")
    assert Revision.objects.get().content == "first"


# An older export that is stored last.


@pytest.mark.django_db
def test_a_newer_edit_stays_when_an_older_export_is_stored_last() -> None:
    polled(2, edit(1, "second"))

    assert polled(0, message(content="first")).edited == 0

    assert (only().content, only().edited_at) == ("second", at(1))
    assert Revision.objects.get().content == "first"


WINDOW = Window(datetime(2024, 4, 27, tzinfo=UTC), datetime(2024, 4, 28, tzinfo=UTC))


def missed(minute: float, *still_there: int, now: datetime = LATER) -> int:
    """A whole export, asked for at `minute`, shows these messages alone."""
    seen = {FIRST_ID + number for number in still_there}
    return mark_deleted(CHANNEL_ID, WINDOW, seen, at(minute), now)


@pytest.mark.django_db
def test_an_export_that_shows_nothing_deletes_only_where_the_channel_may_be_read() -> None:
    polled(0, message())

    assert mark_deleted(CHANNEL_ID, WINDOW, set(), at(1), at(1)) == 0
    assert only().deleted_at is None
    assert mark_deleted(CHANNEL_ID, WINDOW, set(), at(1), at(1), is_readable=True) == 1
    assert only().deleted_at == at(1)


@pytest.mark.django_db
def test_a_deletion_stays_when_an_older_export_is_stored_last() -> None:
    polled(0, message(0), message(1))
    assert missed(2, 1) == 1

    assert polled(1, message(0), message(1)).edited == 0
    assert Message.objects.get(pk=FIRST_ID).deleted_at == at(2)

    assert polled(3, message(0), message(1)).edited == 1
    assert Message.objects.get(pk=FIRST_ID).deleted_at is None


@pytest.mark.django_db
def test_an_older_export_does_not_delete_what_a_newer_one_showed() -> None:
    polled(2, message(0), message(1), message(2))

    assert missed(1, 1) == 0
    assert missed(2, 1) == 2


@pytest.mark.django_db
def test_what_a_clock_that_was_ahead_wrote_is_not_believed() -> None:
    ahead = 24 * 60
    polled(ahead, message(0, isPinned=True), message(1), message(2), now=at(ahead))
    assert missed(ahead + 1, 0, 1, now=at(ahead + 1)) == 1

    polled(5, message(0, isPinned=False), message(2), now=at(5))

    assert json.loads(Message.objects.get(pk=FIRST_ID).raw)["isPinned"] is False
    assert Message.objects.get(pk=FIRST_ID + 2).deleted_at is None
    assert missed(6, 0, 2, now=at(6)) == 1


# A message that was missed and came back keeps that absence.


@pytest.mark.django_db
def test_an_absence_is_kept() -> None:
    polled(0, message(0), message(1))
    missed(2, 1)

    polled(5, message(0), message(1))

    absence = Absence.objects.get()
    assert absence.message_id == FIRST_ID
    assert (absence.last_seen_at, absence.missed_at, absence.back_at) == (at(0), at(2), at(5))


@pytest.mark.django_db
def test_an_absence_becomes_known_better_with_older_files_in_any_order() -> None:
    expected = None
    for order in permutations([1, 2, 6, 8]):
        polled(0, message(0), message(1))
        missed(4, 1)
        for minute in order:
            imported(minute, message(0), message(1))
        absence = Absence.objects.get()
        assert (absence.last_seen_at, absence.missed_at) == (at(2), at(4))
        assert absence.back_at == at(6)
        expected = expected or stored()
        assert stored() == expected
        forget()


# Another writer.


def another_writer(*messages: Json) -> None:
    """Store messages through a connection of its own, as a poll of another host does."""
    with psycopg2.connect(
        host=connection.settings_dict["HOST"],
        user=connection.settings_dict["USER"],
        dbname=connection.settings_dict["NAME"],
    ) as other:
        columns = ", ".join(COLUMNS)
        for row in rows(60, *messages):
            other.cursor().execute(
                f"INSERT INTO messages_app_message ({columns}) VALUES %s", [tuple(row)]
            )


@pytest.mark.postgresql  # SQLite has one writer
@pytest.mark.parametrize("is_history", [True, False])
def test_what_another_writer_was_faster_to_insert_is_looked_at_like_anything_stored(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, is_history: bool
) -> None:
    Channel.objects.create(pk=CHANNEL_ID)
    insert = store._insert
    waiting = [edit(30, "newer"), message(5, content="its own")]

    def insert_after_another(new: Iterable[Row]) -> None:
        while waiting:
            another_writer(waiting.pop())
        insert(list(new))

    monkeypatch.setattr(store, "_insert", insert_after_another)
    older = rows(10, edit(5, "older"), *(message(number) for number in range(1, 10)))

    with transaction.atomic():
        tally = store_batch(older, is_history=is_history, now=LATER)

    assert (tally.read, tally.new) == (10, 8)
    assert Message.objects.count() == 10
    assert Message.objects.get(pk=FIRST_ID).content == "newer"
    assert Message.objects.get(pk=FIRST_ID + 5).content in ("its own", "text 5")
    assert [one.content for one in Revision.objects.all()] == ["older"]


@pytest.mark.postgresql
def test_a_message_is_locked_from_the_decision_to_the_end(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled(0, message(content="first"))
    with transaction.atomic():
        polled(2, edit(1, "second"))
        with (
            pytest.raises(psycopg2.errors.LockNotAvailable),
            psycopg2.connect(
                host=connection.settings_dict["HOST"],
                user=connection.settings_dict["USER"],
                dbname=connection.settings_dict["NAME"],
            ) as other,
        ):
            other.cursor().execute("SELECT 1 FROM messages_app_message FOR UPDATE NOWAIT")


# Names.


@pytest.mark.django_db
def test_names_are_those_of_the_newest_export_in_any_order() -> None:
    def name_of(number: int) -> Json:
        return {"id": str(CHANNEL_ID), "name": f"name{number}", "category": f"category{number}"}

    def other(number: int) -> Json:
        return {"id": "7", "name": f"other{number}"}

    exports: list[Json] = [
        {"exportedAt": at(1).isoformat(), "channel": name_of(1), "guild": _guild("one")},
        {"exportedAt": at(2).isoformat(), "channel": name_of(2), "guild": _guild("two")},
        {"exportedAt": ..., "channel": name_of(3), "guild": _guild("three")},
        {"exportedAt": at(3).isoformat(), "channel": other(4), "guild": _guild("four")},
    ]
    for order in permutations(exports):
        for changes in order:
            imported(0, **changes)
        channel = Channel.objects.get(pk=CHANNEL_ID)
        assert (channel.name, channel.category) == ("name2", "category2")
        assert set(Channel.objects.values_list("guild_name", flat=True)) == {"four"}
        forget()


def _guild(name: str) -> Json:
    return {"id": "866", "name": name}


@pytest.mark.django_db
def test_a_file_does_not_rename_a_channel_that_was_polled_since() -> None:
    exported = document(channel={"id": str(CHANNEL_ID), "name": "as polled"})
    store_channel(reader_of(exported).header(), at(0))
    Poll.objects.create(
        channel_id=CHANNEL_ID,
        purpose=Poll.Purpose.NEWEST,
        window_start=at(9),
        window_end=at(10),
        started_at=at(10),
        duration_ms=1,
        exporter_ms=1,
        succeeded=True,
        messages_read=1,
        host="here",
    )

    imported(5, channel={"id": str(CHANNEL_ID), "name": "in between"})
    assert Channel.objects.get().name == "as polled"

    imported(11, channel={"id": str(CHANNEL_ID), "name": "newer"})
    assert Channel.objects.get().name == "newer"


# Any order of the same files comes to the same.


@pytest.mark.django_db
def test_a_file_that_changes_nothing_may_still_tell_that_something_was_seen_later() -> None:
    knowing, other = message(poll={"votes": 1}), message()
    files = [(1, knowing), (3, other), (3, knowing), (2, message(poll={"votes": 2}))]
    expected = None
    for order in permutations(files):
        for minute, exported in order:
            imported(minute, exported)
        assert json.loads(only().raw)["poll"] == {"votes": 1}
        expected = expected or stored()
        assert stored() == expected
        forget()


@pytest.mark.django_db
def test_a_file_that_an_export_downloaded_counts_more_than_none() -> None:
    previewed = (3, message(content="", embeds=[embed()]))
    downloaded = (4, message(content="", attachments=[attachment(url="x/photo.png")]))
    for order in permutations([previewed, downloaded]):
        for minute, exported in (*order, order[0]):
            imported(minute, exported)
        known = json.loads(only().raw)
        assert [file["url"] for file in known["attachments"]] == ["x/photo.png"]
        assert known["embeds"] == []
        forget()


exports = st.lists(
    st.tuples(
        st.integers(3, 6),
        st.lists(st.tuples(st.integers(0, 2), documents), min_size=1, max_size=3),
        st.sampled_from(["live", "renamed"]),
    ),
    min_size=2,
    max_size=3,
    # Of two exports of one instant that show no difference the first one is kept.
    unique_by=lambda export: export[0],
)


@pytest.mark.django_db
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(exports)
def test_any_order_of_the_same_files_gives_the_same_rows(
    found: list[tuple[int, list[tuple[int, Json]], str]],
) -> None:
    forget()
    files = [
        (
            minute,
            [_edited(number, changes) for number, changes in dict(messages).items()],
            {"channel": {"id": str(CHANNEL_ID), "name": name}},
        )
        for minute, messages, name in found
    ]
    expected = None
    for order in permutations(files):
        for minute, messages, changes in order:
            imported(minute, *messages, **changes)
        expected = expected or stored()
        assert stored() == expected
        imported(order[0][0], *order[0][1], **order[0][2])
        assert stored() == expected
        forget()


def _edited(number: int, changes: Json) -> Json:
    changes = dict(changes)
    edited = changes.pop("edited", None)
    if edited is not None:
        changes["timestampEdited"] = at(edited).isoformat()
    return message(number, **changes)

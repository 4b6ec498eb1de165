"""What storing costs, in things that can be counted: statements, rows written, memory, modules."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from messages_app.database.channels import store_channel
from messages_app.database.clock import Clocks
from messages_app.database.store import store_batch
from messages_app.document.rows import Row, rows_of, time_text
from messages_app.environment import CHECKOUT, Settings
from messages_app.models import Channel, Message, Revision
from messages_app.polling.file_import import import_file
from messages_app.polling.poll import poll_recent
from messages_app.scheduling import add_session
from messages_app.tally import Tally
from messages_app.windows import Window
from tests.commands import MANAGE
from tests.export_documents import document, message, reader_of
from tests.large_exports import CHANNEL_ID, write_export

NOW = datetime(2026, 5, 1, 18, 0, 30, tzinfo=UTC)


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    def build(count: int, **changes: Any) -> Path:
        return write_export(tmp_path / "export.json", count, **changes)

    return build


def store(path: Path) -> Tally:
    with path.open("rb") as stream:
        return import_file(stream, lambda _tally: None).tally


def rows(*messages: dict[str, Any]) -> list[Row]:
    return rows_of(reader_of(document(*messages)), CHANNEL_ID, NOW)


def statements_on_messages(action: Callable[[], object]) -> list[str]:
    """The statements about messages, without their values."""
    with CaptureQueriesContext(connection) as queries:
        action()
    return [query["sql"] for query in queries if "messages_app_message" in query["sql"]]


def versions() -> list[tuple[Any, ...]]:
    """What changes where a row is rewritten, even by itself."""
    hidden = "ctid::text, xmin::text" if connection.vendor == "postgresql" else "rowid, changed_at"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT discord_id, {hidden} FROM messages_app_message ORDER BY 1")
        return list(cursor.fetchall())


@pytest.mark.django_db
def test_messages_are_stored_with_a_fixed_number_of_statements_a_thousand(
    export: Callable[..., Path],
) -> None:
    one = statements_on_messages(lambda: store(export(1000)))
    three = statements_on_messages(lambda: store(export(3000, first=1000)))
    assert len(three) == 3 * len(one)
    # A look, a look at their forms and, where the driver tells of it, an insert.
    assert len(one) <= 3


@pytest.mark.django_db
def test_the_same_again_rewrites_no_row(export: Callable[..., Path]) -> None:
    path = export(1500)
    store(path)
    before = versions()
    again: list[Tally] = []
    statements = statements_on_messages(lambda: again.append(store(path)))
    assert again == [Tally(read=1500, unchanged=1500)]
    assert all(statement.split()[0] == "SELECT" for statement in statements)
    assert versions() == before


@pytest.mark.django_db
def test_only_edited_rows_are_rewritten(export: Callable[..., Path], tmp_path: Path) -> None:
    store(export(100))
    before = dict(Message.objects.values_list("pk", "content"))
    path = write_export(tmp_path / "edited.json", 10, edited=" (edited)")
    later = path.read_text().replace("2026-06-01T08", "2026-06-01T09")
    path.write_text(later)
    assert store(path) == Tally(read=10, edited=10)
    now = dict(Message.objects.values_list("pk", "content"))
    assert sum(now[key] != before[key] for key in before) == 10
    assert Revision.objects.count() == 10


@pytest.mark.django_db
def test_memory_does_not_grow_with_the_export(
    export: Callable[..., Path], reading_way: None
) -> None:
    def peak_bytes(count: int, first: int) -> int:
        path = export(count, first=first)
        tracemalloc.start()
        store(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(1500, 0)  # what is loaded and remembered once
    assert peak_bytes(9000, 20000) < 1.3 * peak_bytes(3000, 10000)


@pytest.mark.sqlite  # Django gives PostgreSQL's driver times, not texts
@given(st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_are_written_as_django_writes_them(moment: datetime) -> None:
    assert time_text(moment) == str(connection.ops.adapt_datetimefield_value(moment))


ODD_TEXTS = [
    "",
    "\\",
    "\\N",
    "\\.",
    "a\tb",
    "a\nb",
    "a\r\nb",
    '"',
    "%s",
    "ä\u2028\N{WAVING HAND SIGN}",
]


@pytest.mark.django_db
@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_texts_arrive_as_they_are(text: str) -> None:
    (exported,) = reader_of(document(message(1, content=text, type=text or "Default")))
    Channel.objects.create(pk=CHANNEL_ID)
    store_batch(rows_of([exported], CHANNEL_ID, NOW))
    stored = Message.objects.get()
    assert (stored.content, stored.type) == (text, text or "Default")
    assert (stored.raw, stored.timestamp) == (exported.raw, exported.timestamp)
    assert (stored.edited_at, stored.has_attachments, stored.changed_at) == (None, False, NOW)


@pytest.mark.sqlite  # PostgreSQL has many writers
def test_a_file_is_imported_beside_another_writer(transactional_db: None) -> None:
    header = reader_of(document(message(1))).header()
    store_channel(header, NOW)
    other = sqlite3.connect(connection.settings_dict["NAME"], timeout=0, isolation_level=None)
    with transaction.atomic():
        store_channel(header, NOW)
        # Were it let in now, our own next write would fail.
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("DELETE FROM messages_app_session")
        store_batch(rows(message(1)))
    other.close()
    assert Message.objects.count() == 1


FEEDS = tuple(range(201, 213))


@pytest.fixture
def live(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Feeds of a live session and an exporter that takes no time to export 20 messages of each."""
    exporter = tmp_path / "instant-exporter"
    exporter.write_bytes((Path(CHECKOUT) / "bench/instant-exporter").read_bytes())
    exporter.chmod(0o755)
    for number, channel_id in enumerate(FEEDS):
        write_export(tmp_path / f"{channel_id}.json", 20, first=20 * number, channel_id=channel_id)
    return environ | {"POLLER_EXPORTER": str(exporter)}


@pytest.mark.parametrize("feeds", [2, len(FEEDS)])
def test_a_live_poll_asks_little_of_the_database(live: dict[str, str], feeds: int) -> None:
    start = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
    add_session("Live", Window(start, start + timedelta(hours=1)), FEEDS[:feeds])

    def poll() -> None:
        outcome = poll_recent(Settings(live), live, Clocks(lambda: NOW), lambda _event: None)
        assert outcome.status == 0
        assert f"{feeds} windows, " in outcome.sentence

    with CaptureQueriesContext(connection) as queries:
        poll()
    # Per feed: claimed and read again, what is in its way, its lease confirmed, itself and its
    # session as they are now, its channel, a look at its messages, the messages, a look at their
    # forms, the forms, the search index, what was deleted, its progress, its record.
    per_feed, per_run = 18, 12
    if connection.vendor == "postgresql":
        per_feed += 5  # the claim is a transaction that skips what is locked; two have bounds
    assert len(queries) <= per_run + feeds * per_feed, "\n".join(query["sql"] for query in queries)


@pytest.mark.django_db
def test_what_was_deleted_of_a_channel_is_looked_for_in_its_own_messages() -> None:
    Channel.objects.bulk_create(Channel(pk=number) for number in range(1, 51))
    Message.objects.bulk_create(
        Message(
            discord_id=number,
            channel_id=1 + number % 50,
            timestamp=NOW - timedelta(seconds=number),
            changed_at=NOW,
            has_attachments=False,
            fingerprint=0,
        )
        for number in range(1, 5001)
    )
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Message._meta.db_table}")
    hour = Window(NOW - timedelta(hours=1), NOW)

    plan = Message.objects.of_channels(hour, [1]).shown().explain()

    assert "message_of_channel" in plan, plan


def test_a_live_poll_loads_nothing_of_the_web_side(live: dict[str, str]) -> None:
    now = datetime.now(UTC)
    add_session("Live", Window(now - timedelta(seconds=20), now + timedelta(hours=1)), [201, 202])
    connection.close()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", MANAGE, "poll_recent_messages"],
        env=live,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "2 windows" in done.stdout
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "messages_app.database.store" in modules
    unwanted = (
        "django.contrib",
        "messages_app.web",
        "messages_app.admin",
        "config.urls",
        "systemd",
    )
    assert {module for module in modules if module.startswith(unwanted)} == set()


# Ends only once all of its round have begun, so the run hangs where fewer run side by side.
ROUND_OF_FOUR = """#!/bin/sh
echo $$ >> {begun}
place=$(grep -nx $$ {begun} | cut -d: -f1)
needed=$(( (place + 3) / 4 * 4 ))
while [ "$(grep -c . {begun})" -lt $needed ]; do sleep 0.01; done
wc -l < {begun} >> {seen}
exec {instant} "$@"
"""


def test_eight_channels_are_exported_four_at_a_time(live: dict[str, str], tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    instant = tmp_path / "instant-exporter"
    slow = tmp_path / "slow-exporter"
    slow.write_text(ROUND_OF_FOUR.format(begun=tmp_path / "begun", seen=seen, instant=instant))
    slow.chmod(0o755)
    channel_ids = range(201, 209)
    for channel_id in channel_ids:
        write_export(tmp_path / f"{channel_id}.json", 1, first=channel_id, channel_id=channel_id)
    start = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
    add_session("Live", Window(start, start + timedelta(hours=1)), list(channel_ids))
    environ = live | {"POLLER_EXPORTER": str(slow), "POLLER_EXPORT_TIMEOUT": "20"}
    now = start + timedelta(minutes=5)
    outcome = poll_recent(Settings(environ), environ, Clocks(lambda: now), lambda _event: None)

    assert outcome.status == 0, "fewer than four ran side by side"
    counts = [int(line) for line in seen.read_text().split()]
    assert len(counts) == 8
    # The first to end saw no more than the first four begin.
    assert counts[0] == 4

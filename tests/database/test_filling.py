"""The filler makes the forms of what a former release stored, beside polls and other hosts."""

from __future__ import annotations

import json
from ast import literal_eval
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from messages_app.database import filling as filler
from messages_app.database.filling import fill, progress
from messages_app.database.forms import fill_forms, sources, store_forms
from messages_app.database.search import matching
from messages_app.document.form import FORM_VERSION
from messages_app.models import Feed, Filling, Form, Message, Poll
from tests.builders import at, make_feed, make_poll, make_session, span
from tests.commands import Manage
from tests.database.landed import ROWS, Database, empty_database
from tests.database.landed import fill as fill_in
from tests.web.builders import make_message

NOW = at(120)
CHANNEL = 800000000000000001
OF_ONE_CHANNEL = f"""
    SELECT raw FROM messages_app_message
    WHERE channel_id = {CHANNEL} AND deleted_at IS NULL ORDER BY discord_id
"""


def untold(_filling: Filling) -> None:
    """Nobody hears how far it is."""


def unfilled(count: int, **keys: Any) -> list[int]:
    """Messages without forms, as a former release stores them; their ids, newest first."""
    session = make_session()
    make_feed(session)
    ids = [make_message(at(number + 1), f"lap {number}", **keys).pk for number in range(count)]
    Form.objects.all().delete()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "INSERT INTO messages_app_form_search (messages_app_form_search) VALUES ('rebuild')"
            )
    Filling.objects.all().delete()
    return ids[::-1]


@pytest.fixture
def landed(tmp_path: Path) -> Iterator[Database]:
    with empty_database(tmp_path) as database:
        database.migrate("messages_app", "0002_search")
        fill_in(database)
        yield database


@pytest.mark.django_db
def test_every_message_of_a_former_release_gets_its_form(landed: Database) -> None:
    landed.migrate()
    assert landed.manage("fill") == "Prepared 39 messages in 0 s, and that is all.\n"
    assert landed.asked("SELECT count(*) FROM messages_app_form") == [(39,)]
    assert landed.manage("fill") == "All messages are prepared.\n"
    forwards = "SELECT count(*) FROM messages_app_message WHERE forward_of IS NOT NULL"
    assert landed.asked(forwards) == [(1,)]


@pytest.mark.django_db
def test_status_tells_how_far_it_is(landed: Database) -> None:
    landed.migrate()
    assert "Stored messages: not prepared yet" in landed.start("status").communicate()[0]
    landed.manage("fill")
    assert "Stored messages" not in landed.start("status").communicate()[0]


@pytest.mark.django_db(transaction=True)
def test_it_goes_on_where_it_was_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filler, "MOST_MESSAGES", 3)
    ids = unfilled(8)

    class Killed(Exception):
        pass

    def kill(_filling: Filling) -> None:
        raise Killed

    for _ in range(2):
        with pytest.raises(Killed):
            fill(kill, NOW)
    assert sorted(Form.objects.values_list("pk", flat=True), reverse=True) == ids[:6]
    told = progress()
    assert told and (told.filled, told.messages) == (6, 8)
    assert fill(untold, NOW) == 2
    assert progress() is None


@pytest.mark.django_db(transaction=True)
def test_it_rests_while_a_feed_is_polled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filler, "MOST_MESSAGES", 3)
    unfilled(8)
    Feed.objects.update(lease_until=timezone.now() + timedelta(minutes=5))
    rests: list[float] = []
    fill(untold, NOW, rests.append)
    assert len(rests) == 3 and min(rests) > 0

    Feed.objects.update(lease_until=None)
    Form.objects.all().delete()
    Filling.objects.all().delete()
    fill(untold, NOW, rests.append)
    assert len(rests) == 3


@pytest.mark.django_db(transaction=True)
def test_two_hosts_share_the_work_and_count_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filler, "MOST_MESSAGES", 3)
    unfilled(8)

    def after_the_other_host(forms: Any) -> int:
        monkeypatch.setattr(filler, "fill_forms", fill_forms)
        assert fill(untold, NOW) == 8
        return fill_forms(forms)

    monkeypatch.setattr(filler, "fill_forms", after_the_other_host)
    assert fill(untold, NOW, sleep=lambda _seconds: None) == 0
    assert Filling.objects.get().filled == 8


@pytest.mark.django_db(transaction=True)
def test_what_a_run_of_the_former_release_stored_meanwhile_is_found_when_it_is_started_again() -> (
    None
):
    ids = unfilled(8)
    fill(untold, NOW)
    feed = Feed.objects.get()
    # A message that it stored, and one that it changed, without a form and with a stale one.
    Form.objects.filter(pk=ids[0]).delete()
    Message.objects.filter(pk=ids[1]).update(fingerprint=7)
    assert fill(untold, NOW) == 0, "no run was recorded"
    make_poll(feed, window_start=at(0), window_end=at(60), started_at=NOW - timedelta(hours=5))
    assert fill(untold, NOW + timedelta(hours=3)) == 2
    assert Form.objects.get(pk=ids[1]).fingerprint == 7

    Form.objects.filter(pk=ids[0]).delete()
    assert fill(untold, NOW) == 1
    Form.objects.filter(pk=ids[0]).delete()
    Poll.objects.update(window_start=at(8) + timedelta(seconds=1))
    assert fill(untold, NOW) == 0, "it lies before all that was polled"


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_a_message_that_somebody_is_changing_is_looked_at_again(landed: Database) -> None:
    landed.migrate()
    with landed.connected() as other:
        other.execute("BEGIN")
        other.execute("SELECT 1 FROM messages_app_message FOR UPDATE")
        filler = landed.start("fill")
        # What it asks last before each of its pauses, after it passed over the locked messages.
        pauses = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND pid <> pg_backend_pid() AND state = 'idle' AND query LIKE '%lease_until%'
        """
        while landed.asked(pauses) == [(0,)]:
            assert filler.poll() is None
        other.execute("COMMIT")
    output, _ = filler.communicate(timeout=60)
    assert output.startswith("Prepared 39 messages"), output


@pytest.mark.django_db(transaction=True)
def test_it_reads_no_more_bytes_at_once_than_may_be_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = unfilled(6, odd="x" * 10_000)
    monkeypatch.setattr(filler, "MOST_BYTES", 25_000)
    read: list[list[int]] = []

    def noted(discord_ids: list[int]) -> Any:
        read.append(list(discord_ids))
        return sources(discord_ids)

    monkeypatch.setattr(filler, "sources", noted)
    fill(untold, NOW)
    assert read == [ids[:2], ids[2:4], ids[4:]]
    monkeypatch.setattr(filler, "MOST_BYTES", 5_000)
    Form.objects.all().delete()
    Filling.objects.all().delete()
    read.clear()
    fill(untold, NOW)
    assert read == [[discord_id] for discord_id in ids]


@pytest.mark.django_db
def test_what_was_changed_since_it_was_read_is_left_to_whoever_changed_it() -> None:
    (discord_id,) = unfilled(1)
    read = list(sources([discord_id]))
    Message.objects.update(fingerprint=1, raw=json.dumps({"content": "edited"}))
    assert fill_forms(read) == 0
    assert not Form.objects.exists()
    assert fill_forms(list(sources([discord_id]))) == 1


@pytest.mark.django_db
def test_a_message_that_is_deleted_before_it_is_filled_is_found_as_deleted() -> None:
    (discord_id,) = unfilled(1)
    read = list(sources([discord_id]))
    Message.objects.update(deleted_at=at(30))
    fill_forms(read)
    form = Form.objects.get()
    assert "is:deleted" in f"{form.search_text} {form.terms}"


@pytest.mark.django_db
def test_a_message_that_a_former_release_changed_is_mended_by_the_next_poll_that_shows_it() -> None:
    (discord_id,) = unfilled(1)
    fill_forms(list(sources([discord_id])))
    Message.objects.update(
        fingerprint=7, content="pit stop", raw=json.dumps({"content": "pit stop"})
    )
    row = (discord_id, 200, "Default", "", None, 501, "Ann", "pit stop", False, 7, "")
    store_forms([(*row, json.dumps({"content": "pit stop"}))])
    assert Form.objects.get().fingerprint == 7
    assert [m.pk for m in matching(Message.objects.all(), "pit stop", span(0, 60))] == [discord_id]
    assert not matching(Message.objects.all(), "lap", span(0, 60))


@pytest.mark.django_db
def test_a_form_of_an_older_version_is_made_anew() -> None:
    (discord_id,) = unfilled(1)
    fill_forms(list(sources([discord_id])))
    Form.objects.update(version=FORM_VERSION - 1, shown="{}")
    assert fill_forms(list(sources([discord_id]))) == 1
    assert fill_forms(list(sources([discord_id]))) == 0
    assert Form.objects.get().shown != "{}"


def test_a_former_release_is_searched_as_before_until_all_is_filled(
    landed: Database, manage: Manage
) -> None:
    landed.migrate()
    ask = (
        "from messages_app.database.search import matching, has_former_search;"
        "from messages_app.models import Message, Session;"
        "s = Session.objects.get();"
        "hits = lambda text: matching(Message.objects.all(), text, s.window).count();"
        "print(has_former_search(), hits('minute'), hits('zebrafinch'))"
    )
    manage.environ["DATABASE_URL"] = landed.url
    assert manage("shell", "-v", "0", "-c", ask) == "True 7 0\n"
    landed.manage("fill")
    assert manage("shell", "-v", "0", "-c", ask) == "False 7 1\n"


PAGE = r"""
import re
from django.test import Client
page = Client(headers={"Host": "localhost"}).get("/sessions/1/").content.decode()
item = r'<li class="message[^>]* id="m(\d+)".*?<div class="text">(?:<div>)?([^<]*)'
print(re.findall(item, page, re.S))
"""
EDIT = """
UPDATE messages_app_message SET content = '{text}', fingerprint = {fingerprint}, raw = '{raw}'
WHERE discord_id = {discord_id}
"""
RECORD = """
INSERT INTO messages_app_poll (id, purpose, window_start, window_end, started_at, duration_ms,
    exporter_ms, succeeded, error_kind, error, messages_read, messages_new, messages_edited,
    messages_deleted, messages_unchanged, host, invocation_id, channel_id, feed_id)
SELECT id + 1, 'newest', window_start, window_end, CURRENT_TIMESTAMP, 1, 1, succeeded, '', '',
    1, 0, 1, 0, 0, 'other', '', channel_id, feed_id FROM messages_app_poll ORDER BY id DESC LIMIT 1
"""


def shown(database: Database, manage: Manage) -> dict[int, str]:
    """The texts on the session's page, by message."""
    manage.environ |= {"DATABASE_URL": database.url, "POLLER_PUBLIC": "true"}
    return {int(number): text for number, text in literal_eval(manage("shell", "-v0", "-c", PAGE))}


def as_the_former_release(text: str, discord_id: int) -> tuple[str, str]:
    """How it writes another text of a message, and puts its poll on record."""
    raw = json.dumps({"id": str(discord_id), "content": text})
    values = {"text": text, "fingerprint": len(text), "raw": raw, "discord_id": discord_id}
    return EDIT.format(**values), RECORD


def test_a_host_of_the_former_release_beside_it_leaves_nothing_stale(
    landed: Database, manage: Manage
) -> None:
    landed.migrate()
    before = shown(landed, manage)
    one, other = list(before)[:2]
    for when, texts in (("while", ("pylon", "gantry")), ("after", ("chicane", "hairpin"))):
        landed.told(*as_the_former_release(texts[0], one))
        assert shown(landed, manage) == before | {one: texts[0]}, when
        landed.manage("fill")
        landed.told(*as_the_former_release(texts[1], other))
        before |= {one: texts[0], other: texts[1]}
        assert shown(landed, manage) == before, when
        assert landed.manage("fill") == "Prepared 1 message in 0 s, and that is all.\n"
        assert shown(landed, manage) == before, when
    ask = (
        "from messages_app.database.search import matching;"
        "from messages_app.models import Message, Session;"
        "s = Session.objects.get();"
        "print([matching(Message.objects.all(), text, s.window).count()"
        " for text in ('pylon', 'gantry', 'chicane', 'hairpin')])"
    )
    assert manage("shell", "-v0", "-c", ask) == "[0, 0, 1, 1]\n"


def test_what_the_former_release_stored_is_nothing_new_when_it_is_read_again(
    landed: Database, tmp_path: Path
) -> None:
    landed.migrate()
    landed.manage("fill")
    before = landed.contents()
    messages = [text for (text,) in landed.asked(OF_ONE_CHANNEL)]
    head = '{"guild": {"id": "600000000000000001", "name": "Sample Guild"}, "channel": {"id": "%s"'
    export = tmp_path / "export.json"
    export.write_text(
        f'{head % CHANNEL}, "name": "general"}}, "exportedAt": "2026-05-01T20:30:00+00:00",'
        f' "messages": [{",".join(messages)}], "messageCount": {len(messages)}}}',
        encoding="utf-8",
    )
    told = landed.manage("import_messages", str(export))
    assert told.startswith(f"{len(messages)} read, 0 new, 0 edited, 0 deleted"), told
    after = landed.contents()
    assert after["messages_app_revision"] == before["messages_app_revision"]
    # A file is a sighting of its own time, which is noted.
    columns = ROWS["messages_app_message"]["columns"]
    seen_at = columns.index("changed_at")
    for was, row in zip(before["messages_app_message"], after["messages_app_message"], strict=True):
        assert row[:seen_at] + row[seen_at + 1 :] == was[:seen_at] + was[seen_at + 1 :]

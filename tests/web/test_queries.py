"""What a page costs the database does not grow with what the database holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messages_app.keyset import Key
from messages_app.models import Message, Revision, Session
from tests.web.builders import BEN, live_session, make_message, past_session, poll_now

pytestmark = pytest.mark.django_db

PAGES = (
    "/",
    "/sessions/{id}/",
    "/sessions/{id}/live/?version=1-0-0&first={first}&last={first}",
    "/schedule/",
    "/health/",
    "/api/sessions/",
    "/api/sessions/{id}/",
    "/api/sessions/{id}/messages/",
    "/api/state/",
)


def queries_of(browser: Client, path: str) -> int:
    """How many queries the page takes once the process is warm."""
    assert browser.get(path).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(path).status_code == 200
    return len(queries)


def grow(session: Session, start_min: int, count: int) -> None:
    """More messages, each an answer that was edited, more polls, and more sessions."""
    begin = session.start_time + timedelta(minutes=start_min)
    known = list(Message.objects.values_list("pk", flat=True))
    for number in range(count):
        message = make_message(
            begin + timedelta(seconds=number),
            f"<@501> in <#200>, {number}",
            BEN,
            type="Reply",
            reference={"messageId": str(known[number % len(known)])},
        )
        Revision.objects.create(message=message, content="before", replaced_at=begin)
    for feed in session.feeds.all():
        for _ in range(count):
            poll_now(feed, messages_new=1, messages_edited=1)
    for number in range(3):
        past_session(start_min=-100 * (start_min + number + 1), end_min=-100 * (start_min + number))


@pytest.mark.parametrize("path", PAGES)
def test_the_queries_of_a_page_do_not_grow(browser: Client, path: str) -> None:
    session, _ = live_session()
    first = make_message(session.start_time)
    path = path.format(id=session.pk, first=Key.of(first))
    grow(session, 1, 3)
    few = queries_of(browser, path)
    grow(session, 10, 40)
    assert queries_of(browser, path) == few


@pytest.mark.parametrize(
    "path",
    [
        *(path for path in PAGES if not path.startswith("/api/")),
        "/sessions/{id}/?text=hello&author=ann&questions=on&attachments=on",
        "/sessions/{id}/?around={pk}",
        "/messages/{pk}/",
        "/sessions/{id}/download/html/",
    ],
)
def test_no_page_reads_an_exported_object_which_has_no_bound(browser: Client, path: str) -> None:
    session, _ = live_session()
    first = make_message(session.start_time)
    grow(session, 1, 3)
    with CaptureQueriesContext(connection) as queries:
        response = browser.get(path.format(id=session.pk, first=Key.of(first), pk=first.pk))
        if response.streaming:
            assert b"hello" in b"".join(response)
    assert len(queries) > 1
    # SQLite keeps the two others behind it, and would read it for them.
    for column in ("raw", "parent_channel_id", "forward_of"):
        assert not [query for query in queries if f'"{column}"' in query["sql"]]


@pytest.mark.sqlite  # PostgreSQL's planner knows how many rows there are
@pytest.mark.parametrize(
    ("channel_ids", "index"),
    [([200], "message_of_channel"), ([200, 201, 202], "message_in_time_order")],
)
def test_a_page_takes_its_rows_from_an_index_in_their_order(
    channel_ids: list[int], index: str
) -> None:
    session, _ = live_session()
    plan = Message.objects.of_channels(session.window, channel_ids).in_time_order()[:100].explain()
    assert f"USING INDEX {index}" in plan
    assert "TEMP B-TREE FOR ORDER BY" not in plan

"""What a page costs the database does not grow with what the database holds."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messages_app.models import Message, Revision, Session
from messages_app.web.pages import Key
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

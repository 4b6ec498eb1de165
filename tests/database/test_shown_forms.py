"""Pages read forms, which have a bound; an exported object only where a form is out of date."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from messages_app.database.shown_forms import shown_forms
from messages_app.document import raw_json
from messages_app.document.shown_form import SHOWN_BYTES, shown_form
from messages_app.keyset import PIECE_BYTES
from messages_app.models import Form, Message
from tests.builders import at, make_feed, make_session
from tests.web.builders import CHANNEL_ID, make_message

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def channel() -> None:
    make_feed(make_session(), channel_id=CHANNEL_ID)


def fat(count: int) -> dict[str, Any]:
    """What people make of a message that everybody reacts to: so many of them below each emoji."""
    users = [{"id": str(number), "name": f"user {number}" * 4} for number in range(count)]
    emoji = {"id": "", "name": "🔥", "code": "fire"}
    return {"reactions": [{"emoji": emoji, "count": count, "users": users}] * 20}


def raw_reads(queries: CaptureQueriesContext) -> list[str]:
    statements = [query["sql"] for query in queries]
    return [sql for sql in statements if '."raw",' in sql or '."raw" FROM' in sql]


def test_a_page_of_the_fattest_messages_is_read_without_their_objects() -> None:
    messages = [make_message(at(minute), **fat(125)) for minute in range(5)]
    assert min(len(message.raw) for message in messages) > 3 * SHOWN_BYTES
    with CaptureQueriesContext(connection) as queries:
        forms = shown_forms([message.pk for message in messages])
    assert len(queries) == 1
    assert not raw_reads(queries)
    for form in forms.values():
        assert len(json.dumps(form, ensure_ascii=False).encode()) <= SHOWN_BYTES
        assert [reaction["count"] for reaction in form["reactions"]] == [125] * 20


def test_what_is_not_filled_is_made_of_objects_of_which_few_are_in_memory_at_once() -> None:
    messages = [make_message(at(minute), odd="x" * PIECE_BYTES) for minute in range(3)]
    Form.objects.all().delete()
    with CaptureQueriesContext(connection) as queries:
        forms = shown_forms([message.pk for message in messages])
    assert len(raw_reads(queries)) == 3
    assert forms == {
        message.pk: json.loads(shown_form(raw_json.parsed(message.raw))) for message in messages
    }


@pytest.mark.parametrize("stale", [{"fingerprint": 7}, {"version": 0}])
def test_a_form_that_is_out_of_date_is_not_shown(stale: dict[str, int]) -> None:
    message = make_message(at(1), attachments=[{"fileName": "old.png"}])
    # As a host of the former release changes a message: it knows nothing of forms.
    edited = json.loads(message.raw) | {"attachments": [{"fileName": "new.png"}]}
    Message.objects.update(raw=json.dumps(edited))
    Form.objects.update(**stale)
    (form,) = shown_forms([message.pk]).values()
    assert [file["fileName"] for file in form["attachments"]] == ["new.png"]


def test_a_message_that_was_removed_meanwhile_has_none() -> None:
    assert shown_forms([5]) == {}

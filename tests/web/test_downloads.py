"""A session as a file."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.http import StreamingHttpResponse
from django.test import Client

from messages_app.file_export import KEYS
from messages_app.keyset import KEYS_AT_ONCE
from tests.builders import at
from tests.web.builders import make_message, make_messages, past_session

pytestmark = pytest.mark.django_db


def download(browser: Client, session_id: int, kind: str) -> str:
    response = browser.get(f"/sessions/{session_id}/download/{kind}/")
    assert isinstance(response, StreamingHttpResponse)
    assert f'filename="race.{kind}"' in response["Content-Disposition"]
    return response.getvalue().decode()


def test_json_lines_hold_every_message_with_the_keys_of_the_command(browser: Client) -> None:
    session, _ = past_session()
    make_messages(at(1), ["x"] * (KEYS_AT_ONCE + 5))
    make_message(at(50), "gone", deleted_at=at(51))
    lines = [json.loads(line) for line in download(browser, session.pk, "jsonl").splitlines()]
    assert len(lines) == KEYS_AT_ONCE + 6
    assert tuple(lines[0]) == KEYS
    assert lines[-1]["deleted_at"]


def test_a_table_has_one_head_and_a_row_for_each_message(browser: Client) -> None:
    session, _ = past_session()
    make_messages(at(1), ["two\nlines"] * (KEYS_AT_ONCE + 5))
    rows = list(csv.DictReader(io.StringIO(download(browser, session.pk, "csv"))))
    assert len(rows) == KEYS_AT_ONCE + 5
    assert {row["content"] for row in rows} == {"two\nlines"}


def test_an_empty_session_is_a_table_with_a_head_alone(browser: Client) -> None:
    session, _ = past_session()
    assert download(browser, session.pk, "csv").splitlines() == [",".join(KEYS)]


def test_the_page_needs_nothing_but_itself(browser: Client) -> None:
    session, _ = past_session()
    make_messages(at(1), [f"text-{number}." for number in range(KEYS_AT_ONCE + 5)])
    make_message(at(50), "", attachments=[{"url": "https://cdn.x/a.png", "fileName": "a.png"}])
    browser.post("/choices/", {"zone": "UTC", "pictures": "on"})
    page = download(browser, session.pk, "html")
    assert f"text-{KEYS_AT_ONCE + 4}." in page
    assert page.count('class="message') == KEYS_AT_ONCE + 6
    for outside in ("<script", "<link", "<img", "src="):
        assert outside not in page


def test_other_kinds_are_not_found(browser: Client) -> None:
    session, _ = past_session()
    assert browser.get(f"/sessions/{session.pk}/download/exe/").status_code == 404

"""Home: what is live, what comes, what was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messages_app.web.views.home import PAST_SHOWN
from tests.builders import make_feed, make_session, span
from tests.web.builders import live_session, make_message, past_session

pytestmark = pytest.mark.django_db


def home(browser: Client, query: str = "") -> str:
    return browser.get(f"/{query}").content.decode()


def test_without_any_session_home_says_what_one_is(browser: Client) -> None:
    page = home(browser)
    assert "No session is scheduled" in page
    assert 'href="/schedule/"' in page


def test_the_live_session_is_on_top_with_its_timeline(browser: Client) -> None:
    live_session(title="Night stint")
    make_message(datetime.now(UTC) - timedelta(minutes=2))
    past_session(title="Qualifying")
    page = home(browser)
    assert page.index("Night stint") < page.index("Qualifying")
    assert "1 message," in page
    assert "closed, complete" in page


def test_states_are_told_in_words(browser: Client) -> None:
    now = datetime.now(UTC)
    make_session(
        title="Soon",
        start_time=now + timedelta(minutes=12, seconds=30),
        end_time=now + timedelta(hours=1),
    )
    broken = make_session(title="Broken", closed_at=now, given_up=True)
    make_feed(broken, span(0, 20), span(23, 60))
    make_session(title="Waiting", start_time=now - timedelta(hours=2), end_time=now)
    page = home(browser)
    for words in ("starts in 12 min", "given up with gaps", "gap of 3 min", "over, not closed yet"):
        assert words in page


def test_home_costs_the_same_for_few_and_many_sessions(browser: Client) -> None:
    counts = []
    for number in (1, 20):
        for _ in range(number):
            past_session()
        with CaptureQueriesContext(connection) as queries:
            home(browser)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_older_sessions_are_on_further_pages(browser: Client) -> None:
    for number in range(PAST_SHOWN + 2):
        past_session(start_min=-100 * number, end_min=-100 * number + 60, title=f"No. {number}.")
    page = home(browser)
    assert "No. 29." in page
    assert "No. 30." not in page
    older = home(browser, page.partition('<p class="more"><a href="')[2].partition('"')[0])
    assert "No. 30." in older
    assert "No. 31." in older

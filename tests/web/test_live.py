"""What an open page asks for every few seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messages_app.keyset import Key
from messages_app.models import Message, Revision
from messages_app.web.pages import PAGE_SIZE
from messages_app.web.unchanged import ADMITTED_S
from messages_app.web.watching import version_of
from tests.builders import make_feed
from tests.web.builders import BEN, live_session, make_message, make_messages, poll_now

pytestmark = pytest.mark.django_db


class OpenPage:
    """A page that shows what was there when it was opened, and asks as the script does."""

    def __init__(self, browser: Client, session_id: int) -> None:
        self.browser = browser
        self.path = f"/sessions/{session_id}/live/"
        keys = [str(Key.of(message)) for message in Message.objects.in_time_order()]
        self.asked = {
            "version": version_of(session_id),
            "first": keys[0] if keys else "",
            "last": keys[-1] if keys else "",
        }

    def ask(self, **more: str) -> dict[str, Any] | None:
        response = self.browser.get(self.path, self.asked | more)
        if response.status_code == 204:
            return None
        assert response.status_code == 200
        answer: dict[str, Any] = response.json()
        self.asked |= {"version": answer["version"], "last": answer["last"]}
        return answer


def recently(seconds: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=seconds)


def end_login(browser: Client) -> None:
    """End the login on the server alone: the browser goes on sending its cookie."""
    cookie = browser.cookies["sessionid"].value
    browser.logout()
    browser.cookies["sessionid"] = cookie


def test_nothing_new_costs_one_query(browser: Client) -> None:
    session, _ = live_session()
    page = OpenPage(browser, session.pk)
    page.ask()
    with CaptureQueriesContext(connection) as queries:
        assert page.ask() is None
    assert len(queries) == 1


def test_nothing_new_is_told_to_those_who_were_let_in_alone(browser: Client) -> None:
    session, _ = live_session()
    page, stranger = (OpenPage(each, session.pk) for each in (browser, Client()))
    page.ask()
    assert page.ask() is None
    for _ in range(2):
        assert stranger.browser.get(stranger.path, stranger.asked).status_code == 401


def test_news_are_for_those_alone_who_are_still_logged_in(browser: Client) -> None:
    session, feed = live_session()
    page = OpenPage(browser, session.pk)
    page.ask()
    end_login(browser)
    poll_now(feed)
    assert browser.get(page.path, page.asked).status_code == 401


def test_a_login_that_ended_is_noticed_after_a_while_though_nothing_is_new(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = live_session()
    page = OpenPage(browser, session.pk)
    page.ask()
    end_login(browser)
    assert page.ask() is None
    later = time.monotonic() + ADMITTED_S
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert browser.get(page.path, page.asked).status_code == 401


def test_a_poll_that_found_nothing_refreshes_the_state_only(browser: Client) -> None:
    session, feed = live_session()
    make_message(recently(60))
    page = OpenPage(browser, session.pk)
    poll_now(feed)
    answer = page.ask()
    assert answer
    assert (answer["news"], answer["changed"], answer["count"]) == ([], [], 0)
    assert "Last polled" in answer["status"]
    assert "left" in answer["state"]
    assert page.ask() is None


def test_a_new_message_arrives_once(browser: Client) -> None:
    session, feed = live_session()
    make_message(recently(60), "old")
    page = OpenPage(browser, session.pk)
    make_message(recently(5), "brand new")
    poll_now(feed, messages_new=1)
    answer = page.ask()
    assert answer
    assert answer["count"] == 1
    assert "brand new" in answer["news"][0]
    poll_now(feed)
    again = page.ask()
    assert again
    assert again["count"] == 0


def test_a_new_message_of_the_last_author_stands_under_the_same_name(browser: Client) -> None:
    session, feed = live_session()
    make_message(recently(60))
    page = OpenPage(browser, session.pk)
    make_message(recently(30))
    make_message(recently(5), author=BEN)
    poll_now(feed, messages_new=2)
    answer = page.ask()
    assert answer
    assert 'class="message follows"' in answer["news"][0]
    assert 'class="message"' in answer["news"][1]


def test_the_first_message_of_an_empty_page_arrives(browser: Client) -> None:
    session, feed = live_session()
    page = OpenPage(browser, session.pk)
    make_message(recently(5), "first!")
    poll_now(feed, messages_new=1)
    answer = page.ask()
    assert answer
    assert "first!" in answer["news"][0]


def test_an_edit_and_a_deletion_arrive(browser: Client) -> None:
    session, feed = live_session()
    edited, deleted = make_message(recently(20), "before"), make_message(recently(10), "regret")
    page = OpenPage(browser, session.pk)
    Revision.objects.create(message=edited, content="before", replaced_at=recently(0))
    Message.objects.filter(pk=edited.pk).update(content="after", fingerprint=7)
    Message.objects.filter(pk=deleted.pk).update(deleted_at=recently(0))
    poll_now(feed, messages_edited=1, messages_deleted=1)
    answer = page.ask()
    assert answer
    changes = {change["id"]: change["html"] for change in answer["changed"]}
    assert "after" in changes[str(edited.pk)]
    assert "before" in changes[str(edited.pk)]
    assert (
        "message deleted" in changes[str(deleted.pk)]
        or "message follows deleted" in changes[str(deleted.pk)]
    )


def test_an_edit_outside_of_what_the_page_shows_is_not_sent(browser: Client) -> None:
    session, feed = live_session()
    make_message(recently(600), "long ago")
    shown = make_message(recently(20), "shown")
    page = OpenPage(browser, session.pk)
    page.asked["first"] = str(Key.of(shown))
    window = {"window_start": recently(1200), "window_end": recently(300)}
    poll_now(feed, messages_edited=1, **window)
    answer = page.ask()
    assert answer
    assert answer["changed"] == []


def test_more_messages_than_a_page_arrive_in_turns(browser: Client) -> None:
    session, feed = live_session()
    make_message(recently(900), "old")
    page = OpenPage(browser, session.pk)
    make_messages(recently(600), ["x"] * (PAGE_SIZE + 20))
    poll_now(feed, messages_new=PAGE_SIZE + 20)
    answer = page.ask()
    assert answer
    assert (answer["count"], answer["more"]) == (PAGE_SIZE, True)
    rest = page.ask(version="")
    assert rest
    assert (rest["count"], rest["more"]) == (20, False)


def test_a_page_that_does_not_end_at_the_newest_gets_nothing_below(browser: Client) -> None:
    session, feed = live_session()
    make_message(recently(60))
    page = OpenPage(browser, session.pk)
    make_message(recently(5))
    poll_now(feed, messages_new=1)
    answer = page.ask(tail="0")
    assert answer
    assert answer["news"] == []


def test_a_filter_holds_for_the_news_too(browser: Client) -> None:
    session, feed = live_session()
    make_message(recently(60))
    page = OpenPage(browser, session.pk)
    make_message(recently(8), "who?", BEN)
    make_message(recently(5), "me")
    poll_now(feed, messages_new=2)
    answer = page.ask(questions="on")
    assert answer
    assert answer["count"] == 1
    assert "who?" in answer["news"][0]


def test_polls_of_two_channels_are_both_seen_whatever_their_order(browser: Client) -> None:
    session, feed = live_session()
    other = make_feed(session, channel_id=300)
    make_message(recently(60))
    page = OpenPage(browser, session.pk)
    make_message(recently(5), "from the other", channel_id=300)
    poll_now(other, messages_new=1)
    first = page.ask()
    assert first
    assert first["count"] == 1
    make_message(recently(4), "from the first")
    poll_now(feed, messages_new=1)
    second = page.ask()
    assert second
    assert second["count"] == 1


@pytest.mark.parametrize("version", ["x", "1-2", "1-2-3-4", "..", "9999999999999999999999-1-0"])
def test_a_version_that_makes_no_sense_is_answered_like_an_old_one(
    browser: Client, version: str
) -> None:
    session, _ = live_session()
    response = browser.get(f"/sessions/{session.pk}/live/", {"version": version})
    assert response.status_code == 200

"""Health: what `status` says, for those who run it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from messages_app.windows import Window
from tests.web.builders import covered, live_session

if TYPE_CHECKING:  # older releases of pytest-django name no such thing
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


def test_a_failing_feed_makes_the_page_say_what_is_wrong(browser: Client) -> None:
    _, feed = live_session()
    assert "discord-poller is healthy" in browser.get("/health/").content.decode()
    feed.failures, feed.error, feed.error_kind = 3, "The token was refused.", "token-refused"
    feed.save()
    page = browser.get("/health/").content.decode()
    assert "discord-poller is healthy" not in page
    assert "3 failures in a row: The token was refused." in page


def test_a_gap_is_told_in_words(browser: Client) -> None:
    session, feed = live_session()
    minutes = [session.start_time + timedelta(minutes=minute) for minute in (0, 10, 14, 20)]
    feed.covered_windows = covered(Window(*minutes[:2]), Window(*minutes[2:]))
    feed.save()
    assert "4 min in 1" in browser.get("/health/").content.decode()


def test_health_is_not_public(client: Client, settings: Settings) -> None:
    settings.POLLER = SimpleNamespace(
        public=True, public_deleted=False, time_zone="UTC", channels=[]
    )
    assert client.get("/health/")["Location"].startswith("/login/")
    assert "Health" not in client.get("/").content.decode()


def test_metrics_ask_for_a_login_of_their_own(browser: Client) -> None:
    assert browser.get("/metrics").content.startswith(b"# HELP")
    browser.logout()
    refused = browser.get("/metrics")
    assert refused.status_code == 403
    assert b"bearer token" in refused.content

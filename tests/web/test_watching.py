"""What the pages know of a session: the order of its channels, and the version of it all."""

from __future__ import annotations

import pytest

from messages_app.models import Session
from messages_app.reporting.feeds import feed_states
from messages_app.web.watching import states, version_of
from tests.builders import at, make_feed, make_poll, make_session

pytestmark = pytest.mark.django_db


def two_channels() -> Session:
    """A session whose channels sort one way by name and id, and another as they were added."""
    session = make_session()
    for channel_id, name in ((900, "zebra"), (100, "ant")):
        make_poll(make_feed(session, channel_id=channel_id, name=name))
    return session


def test_channels_stand_in_one_order_on_the_pages_and_in_the_status() -> None:
    session = two_channels()
    (watched,) = states([session], at(30))
    assert [feed.name for feed in watched.feeds] == ["#zebra", "#ant"]
    assert [feed.name for feed in feed_states(session, at(30))] == ["#zebra", "#ant"]


def test_the_cheap_version_is_the_pages_own_whatever_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = two_channels()
    (watched,) = states([session], at(30))
    assert version_of(session.pk) == watched.version

    by_name = "messages_app.models.FeedQuerySet.in_shown_order"
    monkeypatch.setattr(by_name, lambda feeds: feeds.order_by("channel__name"))
    (watched,) = states([session], at(30))
    assert [feed.name for feed in watched.feeds] == ["#ant", "#zebra"]
    assert version_of(session.pk) == watched.version

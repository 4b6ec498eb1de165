"""Sessions: their phase, and the queries that ask for one; feeds: what a row is the progress of."""

from __future__ import annotations

import pytest

from messages_app.models import Channel, Feed, Phase, Session
from messages_app.windows import Coverage
from tests.builders import at, make_feed, make_session, span

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("minute", "closed", "given_up", "phase"),
    [
        (-0.01, False, False, Phase.COMING),
        (0, False, False, Phase.LIVE),
        (59.99, False, False, Phase.LIVE),
        (60, False, False, Phase.OVER),
        (61, True, False, Phase.CLOSED),
        (61, True, True, Phase.GIVEN_UP),
        # The clock was set back after the session was closed: it is polled again.
        (59, True, False, Phase.LIVE),
        (-1, True, True, Phase.COMING),
    ],
)
def test_the_phase_is_the_one_that_the_queries_know(
    minute: float, closed: bool, given_up: bool, phase: Phase
) -> None:
    session = make_session(closed_at=at(60.5) if closed else None, given_up=given_up)
    now = at(minute)

    assert session.phase(now) is phase
    assert Session.objects.live(now).exists() is (phase is Phase.LIVE)
    assert Session.objects.to_close(now).exists() is (phase is Phase.OVER)
    assert Session.objects.coming(now).exists() is (phase is Phase.COMING)


def test_a_feed_keeps_its_progress_unless_its_channel_changes() -> None:
    feed = make_feed(make_session(), span(0, 30), failures=2)
    Channel.objects.create(pk=202)
    feed.failures = 3
    feed.save()
    feed = Feed.objects.get()
    assert (feed.failures, feed.coverage) == (3, Coverage([span(0, 30)]))

    feed.channel_id = 202
    feed.save(update_fields=["channel"])
    feed = Feed.objects.get()
    assert (feed.channel_id, feed.failures, feed.coverage) == (202, 0, Coverage())

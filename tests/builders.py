"""Builders of what the tests need in the database."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from messages_app.models import Channel, Feed, Poll, Session
from messages_app.windows import Coverage, Window

START = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    """The instant so many minutes after 18:00."""
    return START + timedelta(minutes=minutes)


def span(start_min: float, end_min: float) -> Window:
    return Window(at(start_min), at(end_min))


def settle_database() -> None:
    """Leave the database as if nobody had used it for a while, so that the gate trusts it."""
    connection.close()
    if connection.vendor == "sqlite":
        a_minute_ago = time.time() - 60
        os.utime(connection.settings_dict["NAME"], (a_minute_ago, a_minute_ago))


def make_session(start_min: float = 0, end_min: float = 60, **values: Any) -> Session:
    values = {"title": "Race", "start_time": at(start_min), "end_time": at(end_min)} | values
    return Session.objects.create(**values)


def make_feed(
    session: Session, *covered: Window, channel_id: int = 200, name: str = "pits", **values: Any
) -> Feed:
    """A feed of the session that has covered these windows."""
    channel, _ = Channel.objects.get_or_create(pk=channel_id, defaults={"name": name})
    return Feed.objects.create(
        session=session,
        channel=channel,
        covered_windows=Coverage(covered).to_json(),
        **values,
    )


def make_poll(feed: Feed | None, started_min: float = 0, **values: Any) -> Poll:
    """A successful poll of a feed that took 4 s, unless `values` say otherwise."""
    channel = feed.channel if feed else Channel.objects.get_or_create(pk=200)[0]
    defaults: dict[str, Any] = {
        "channel": channel,
        "purpose": Poll.Purpose.NEWEST,
        "window_start": at(started_min - 1),
        "window_end": at(started_min),
        "started_at": at(started_min),
        "duration_ms": 4000,
        "exporter_ms": 3900,
        "succeeded": True,
        "host": "here",
    }
    return Poll.objects.create(feed=feed, **defaults | values)

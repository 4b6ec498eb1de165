"""Django's admin: sessions and channels to edit, messages and polls to look at."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messages_app.admin import LISTED_ROWS
from messages_app.models import Channel, Feed, Message, Obstacle, Poll, Revision, Session
from messages_app.windows import Coverage, Window

SIX = datetime(2026, 5, 1, 18, tzinfo=UTC)
EIGHT = datetime(2026, 5, 1, 20, tzinfo=UTC)
ADMIN = "/admin/messages_app"


@pytest.fixture
def admin(db: None) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(User.objects.create_superuser("operator"))
    return client


def session_form(**changes: Any) -> dict[str, Any]:
    """What a browser sends of the form of a session."""
    values: dict[str, Any] = {
        "title": "Race",
        "start": SIX,
        "end": EIGHT,
        "channels": (),
        "feeds": (),
    } | changes
    form = {
        "title": values["title"],
        "start_time_0": f"{values['start']:%Y-%m-%d}",
        "start_time_1": f"{values['start']:%H:%M:%S}",
        "end_time_0": f"{values['end']:%Y-%m-%d}",
        "end_time_1": f"{values['end']:%H:%M:%S}",
        "feeds-TOTAL_FORMS": str(len(values["feeds"]) + len(values["channels"])),
        "feeds-INITIAL_FORMS": str(len(values["feeds"])),
    }
    for number, feed in enumerate(values["feeds"]):
        form |= {
            f"feeds-{number}-id": feed.pk,
            f"feeds-{number}-session": feed.session_id,
            f"feeds-{number}-channel": feed.channel_id,
        }
    for number, channel_id in enumerate(values["channels"], len(values["feeds"])):
        form[f"feeds-{number}-channel"] = channel_id
    if values.get("allow_overlap"):
        form["allow_overlap"] = "on"
    return form


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def closed_session() -> Session:
    """A session that was covered and swept to its end."""
    session = Session.objects.create(
        title="Race", start_time=SIX, end_time=EIGHT, closed_at=EIGHT + timedelta(minutes=1)
    )
    whole = Coverage([Window(SIX, EIGHT)]).to_json()
    channel = Channel.objects.create(pk=201, name="chat")
    Feed.objects.create(
        session=session, channel=channel, covered_windows=whole, swept_windows=whole
    )
    return session


def make_message(number: int = 1) -> Message:
    channel, _ = Channel.objects.get_or_create(pk=201, defaults={"name": "chat"})
    return Message.objects.create(
        discord_id=number,
        channel=channel,
        type="Default",
        timestamp=SIX + timedelta(seconds=number),
        author_name="Ana",
        content=f"<b>text {number}</b>",
        has_attachments=False,
        fingerprint=1,
        changed_at=SIX,
        raw="{}",
    )


def make_poll(**values: Any) -> Poll:
    channel, _ = Channel.objects.get_or_create(pk=201, defaults={"name": "chat"})
    values = {
        "channel": channel,
        "purpose": Poll.Purpose.NEWEST,
        "window_start": SIX,
        "window_end": EIGHT,
        "started_at": EIGHT,
        "duration_ms": 1,
        "exporter_ms": 1,
        "succeeded": True,
        "host": "one",
    } | values
    return Poll.objects.create(**values)


def test_a_session_is_added_with_its_channels(admin: Client) -> None:
    Channel.objects.create(pk=201)

    response = admin.post(f"{ADMIN}/session/add/", session_form(channels=[201]))

    assert response.status_code == 302
    session = Session.objects.get()
    assert (session.title, session.window) == ("Race", Window(SIX, EIGHT))
    assert list(session.feeds.values_list("channel_id", flat=True)) == [201]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"end": SIX}, "must be later than the start"),
        ({"end": SIX - timedelta(hours=1)}, "must be later than the start"),
        ({"title": ""}, "This field is required"),
        ({"title": "x" * 201}, "at most 200 characters"),
        ({"title": "two\nlines"}, "one line of text"),
        ({"start": datetime(1999, 1, 1, tzinfo=UTC)}, "lies in the years 2015 to 2083"),
        ({"end": datetime(9999, 12, 31, tzinfo=UTC)}, "lies in the years 2015 to 2083"),
        ({"channels": [201, 201]}, "correct the duplicate"),
    ],
)
def test_what_cannot_be_scheduled_is_told_in_the_form(
    admin: Client, changes: dict[str, Any], words: str
) -> None:
    Channel.objects.create(pk=201)

    response = admin.post(f"{ADMIN}/session/add/", session_form(**changes))

    assert words in text_of(response)
    assert not Session.objects.exists()


def test_an_overlap_is_refused_unless_it_is_allowed(admin: Client) -> None:
    closed_session()
    overlapping = session_form(title="Lecture", start=SIX + timedelta(hours=1))

    refused = admin.post(f"{ADMIN}/session/add/", overlapping)
    assert "overlaps (2026-05-01 18:00:00 to 20:00:00 UTC)" in text_of(refused)
    assert Session.objects.count() == 1

    allowed = admin.post(f"{ADMIN}/session/add/", overlapping | {"allow_overlap": "on"})
    assert allowed.status_code == 302
    assert Session.objects.count() == 2


def test_a_title_can_be_changed_while_another_session_overlaps(admin: Client) -> None:
    session = closed_session()
    Session.objects.create(title="Lecture", start_time=SIX, end_time=EIGHT)
    form = session_form(title="Regatta", feeds=list(session.feeds.all()))

    assert admin.post(f"{ADMIN}/session/{session.pk}/change/", form).status_code == 302

    session.refresh_from_db()
    assert session.title == "Regatta"
    assert session.closed_at is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"end": EIGHT + timedelta(minutes=1)},
        {"start": SIX - timedelta(minutes=1)},
        {"channels": [202]},
    ],
)
def test_a_closed_session_opens_again_where_it_has_more_to_read(
    admin: Client, changes: dict[str, Any]
) -> None:
    session = closed_session()
    Channel.objects.create(pk=202)
    form = session_form(feeds=list(session.feeds.all()), **changes)

    assert admin.post(f"{ADMIN}/session/{session.pk}/change/", form).status_code == 302

    session.refresh_from_db()
    assert session.closed_at is None
    assert not any(feed.swept.windows for feed in session.feeds.all()) or "channels" in changes


def test_another_channel_in_a_row_is_another_feed(admin: Client) -> None:
    session = closed_session()
    [feed] = session.feeds.all()
    Feed.objects.update(
        longest_window_s=60,
        failures=3,
        next_attempt_at=EIGHT,
        error_kind="exporter-crashed",
        error="It broke.",
        polled_at=EIGHT,
        lease_holder="anna:1",
        lease_until=EIGHT,
    )
    Obstacle.objects.create(
        feed=feed, words="broke", found_at=EIGHT, low=SIX, high=EIGHT, left=SIX, back=0, reach=0
    )
    polled = make_poll(feed=feed)
    Channel.objects.create(pk=202)
    other = Feed.objects.create(session=make_other(), channel_id=201, error="Stays.")

    form = session_form(feeds=[feed]) | {"feeds-0-channel": "202"}
    assert admin.post(f"{ADMIN}/session/{session.pk}/change/", form).status_code == 302

    [changed] = session.feeds.all()
    untouched = Feed(session=session, channel_id=202)
    for field in Feed._meta.concrete_fields:
        if field.name != "id":
            assert getattr(changed, field.attname) == getattr(untouched, field.attname), field.name
    assert not changed.obstacles.exists()
    polled.refresh_from_db()
    assert (polled.feed, polled.channel_id) == (None, 201)
    session.refresh_from_db()
    assert session.closed_at is None
    other.refresh_from_db()
    assert other.error == "Stays."


def make_other() -> Session:
    return Session.objects.create(
        title="Other", start_time=EIGHT, end_time=EIGHT + timedelta(hours=1)
    )


def test_progress_is_shown_and_cannot_be_typed(admin: Client) -> None:
    session = closed_session()
    session.feeds.update(failures=3, error="Discord was away.")
    (feed,) = session.feeds.all()

    assert "Discord was away." in text_of(admin.get(f"{ADMIN}/session/{session.pk}/change/"))
    form = session_form(feeds=[feed]) | {"feeds-0-failures": "0", "feeds-0-error": ""}
    admin.post(f"{ADMIN}/session/{session.pk}/change/", form)

    feed.refresh_from_db()
    assert (feed.failures, feed.error) == (3, "Discord was away.")


@pytest.mark.parametrize("page", ["session", "channel", "message", "poll"])
def test_every_list_is_shown_and_searched(admin: Client, page: str) -> None:
    session = closed_session()
    make_message()
    make_poll(feed=session.feeds.get())

    assert "1 " in text_of(admin.get(f"{ADMIN}/{page}/"))
    assert admin.get(f"{ADMIN}/{page}/?q=201").status_code == 200


def test_a_channel_is_added_and_renamed(admin: Client) -> None:
    new = {"discord_id": "201", "name": "chat"}
    assert admin.post(f"{ADMIN}/channel/add/", new).status_code == 302

    renamed = {"discord_id": "999", "name": "race-chat"}
    assert admin.post(f"{ADMIN}/channel/201/change/", renamed).status_code == 302

    assert list(Channel.objects.values_list("discord_id", "name")) == [(201, "race-chat")]


@pytest.mark.parametrize("discord_id", ["", "0", "-5", "chat", "9223372036854775808"])
def test_what_is_no_channel_id_is_refused(admin: Client, discord_id: str) -> None:
    response = admin.post(f"{ADMIN}/channel/add/", {"discord_id": discord_id})

    assert "errorlist" in text_of(response)
    assert not Channel.objects.exists()


def test_a_message_is_shown_with_its_former_texts_and_escaped(admin: Client) -> None:
    message = make_message()
    Revision.objects.create(message=message, content="the <i>former</i> text", replaced_at=EIGHT)

    page = text_of(admin.get(f"{ADMIN}/message/{message.pk}/change/"))

    assert "&lt;b&gt;text 1&lt;/b&gt;" in page
    assert "the &lt;i&gt;former&lt;/i&gt; text" in page
    assert 'name="_save"' not in page


@pytest.mark.parametrize("kind", ["message", "poll"])
def test_what_was_recorded_can_only_be_looked_at(admin: Client, kind: str) -> None:
    key = make_message().pk if kind == "message" else make_poll().pk

    assert admin.get(f"{ADMIN}/{kind}/{key}/change/").status_code == 200
    assert admin.get(f"{ADMIN}/{kind}/add/").status_code == 403
    assert admin.post(f"{ADMIN}/{kind}/{key}/change/", {"content": "x"}).status_code == 403
    assert admin.post(f"{ADMIN}/{kind}/{key}/delete/", {"post": "yes"}).status_code == 403
    deletion = {"action": "delete_selected", "_selected_action": str(key), "post": "yes"}
    admin.post(f"{ADMIN}/{kind}/", deletion)
    assert (Message if kind == "message" else Poll).objects.count() == 1


def test_polls_can_be_chosen_by_what_went_wrong(admin: Client) -> None:
    make_poll()
    make_poll(succeeded=False, error_kind="time-limit")

    assert "1 poll" in text_of(admin.get(f"{ADMIN}/poll/?error_kind=time-limit"))
    assert "0 polls" in text_of(admin.get(f"{ADMIN}/poll/?error_kind=token-refused"))


@pytest.mark.parametrize("kind", ["message", "poll"])
def test_a_list_counts_and_reads_no_more_rows_than_it_may_show(admin: Client, kind: str) -> None:
    page_size = 100
    for number in range(1, page_size + 2):
        make_message(number) if kind == "message" else make_poll()

    with CaptureQueriesContext(connection) as queries:
        assert admin.get(f"{ADMIN}/{kind}/").status_code == 200

    of_table = [each["sql"] for each in queries if f'FROM "messages_app_{kind}"' in each["sql"]]
    assert len(of_table) == 2
    for sql in of_table:
        assert re.search(rf"LIMIT ({LISTED_ROWS}|{page_size})\b", sql), sql


def test_a_visitor_sees_nothing_of_it(db: None) -> None:
    response = Client(HTTP_HOST="localhost").get(f"{ADMIN}/message/")

    assert response.status_code == 302
    assert "/login/" in response.headers["Location"]

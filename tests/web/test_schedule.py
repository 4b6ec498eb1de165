"""Scheduling in the browser, with the pitfalls caught."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.test import Client

from messages_app.models import Session
from tests.builders import at, make_feed, make_session
from tests.web.builders import live_session

pytestmark = pytest.mark.django_db

FORM = {
    "title": "Race",
    "start": "2026-05-01T20:00",
    "end": "2026-05-01T22:00",
    "zone": "Europe/Berlin",
    "channels": "200 300",
}


def notes(browser: Client, **fields: str) -> str:
    return browser.get("/schedule/notes/", FORM | fields).content.decode()


def test_a_session_is_scheduled_in_the_typed_zone(browser: Client) -> None:
    response = browser.post("/schedule/", FORM)
    session = Session.objects.get()
    assert response["Location"] == f"/sessions/{session.pk}/"
    assert session.start_time == datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
    assert session.end_time == datetime(2026, 5, 1, 20, 0, tzinfo=UTC)
    assert set(session.feeds.values_list("channel_id", flat=True)) == {200, 300}


def test_the_form_says_what_it_means_while_it_is_typed(browser: Client) -> None:
    said = notes(browser)
    assert "2026-05-01 18:00:00 to 20:00:00 UTC, 2 h 0 min long." in said or (
        "18:00:00" in said and "long." in said
    )
    assert Session.objects.count() == 0


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"end": "2026-05-01T20:00"}, "The end must be later than the start."),
        ({"start": "2026-03-29T02:30"}, "does not exist in Europe/Berlin"),
        ({"end": "2026-10-25T02:30"}, "comes twice in Europe/Berlin"),
        ({"zone": "Berlin"}, "is not a time zone"),
        ({"start": "soon"}, "is not a time"),
        ({"channels": "race-chat"}, "is not a Discord id"),
        ({"end": "2026-05-04T20:00"}, "is the end&#x27;s date right?"),
        ({"channels": ""}, "No channel is named: name one"),
    ],
)
def test_a_pitfall_is_caught_while_typing(
    browser: Client, fields: dict[str, str], sentence: str
) -> None:
    assert sentence in notes(browser, **fields)


def test_the_configured_channels_take_the_place_of_none(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings.POLLER, "channels", [200])
    assert "those of the setting POLLER_CHANNELS are polled" in notes(browser, channels="")


def test_a_session_without_channels_is_refused_unless_the_settings_name_some(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_session()
    for address in ("/schedule/", f"/schedule/{session.pk}/"):
        refused = browser.post(address, FORM | {"channels": "", "allow_overlap": "on"})
        assert "No channel is named" in refused.content.decode()
    assert Session.objects.count() == 1

    monkeypatch.setattr(settings.POLLER, "channels", [200])
    assert browser.post("/schedule/", FORM | {"channels": "", "allow_overlap": "on"})["Location"]


def test_a_time_that_comes_twice_can_be_typed_with_its_offset(browser: Client) -> None:
    said = notes(browser, start="2026-10-25T02:00:00+02:00", end="2026-10-25T02:30:00+01:00")
    assert "00:00:00 to 01:30:00 UTC" in said


def test_a_session_that_cannot_be_meant_is_not_saved(browser: Client) -> None:
    response = browser.post("/schedule/", FORM | {"end": "2026-05-01T19:00"})
    assert response.status_code == 200
    page = response.content.decode()
    assert "The end must be later than the start." in page
    assert 'value="Race"' in page
    assert Session.objects.count() == 0


def test_an_overlap_must_be_allowed(browser: Client) -> None:
    make_session(title="Other")
    assert "«Other»" in notes(browser)
    assert browser.post("/schedule/", FORM).status_code == 200
    assert browser.post("/schedule/", FORM | {"allow_overlap": "on"}).status_code == 302
    assert Session.objects.count() == 2


def test_a_session_does_not_overlap_itself(browser: Client) -> None:
    session = make_session()
    assert "overlaps" not in notes(browser, editing=str(session.pk))


def test_an_overlap_that_was_allowed_stays_allowed_while_the_times_stay(browser: Client) -> None:
    session = make_session()
    make_session(10, 20, title="Other")
    form = {"title": "New", "start": at(0).isoformat(), "end": at(60).isoformat(), "zone": "UTC"}
    form["channels"] = "200"
    assert browser.post(f"/schedule/{session.pk}/", form).status_code == 302
    longer = form | {"end": at(61).isoformat()}
    assert browser.post(f"/schedule/{session.pk}/", longer).status_code == 200
    session.refresh_from_db()
    assert (session.title, session.end_time) == ("New", at(60))


def test_a_session_is_edited(browser: Client) -> None:
    session = make_session()
    make_feed(session, channel_id=200)
    page = browser.get(f"/schedule/{session.pk}/").content.decode()
    assert 'value="2026-05-01T18:00:00"' in page
    browser.post(f"/schedule/{session.pk}/", FORM | {"title": "Longer", "zone": "UTC"})
    session.refresh_from_db()
    assert (session.title, session.start_time) == ("Longer", at(120))


def test_a_live_session_is_ended_now(browser: Client) -> None:
    session, _ = live_session()
    assert "End it now" in browser.get(f"/schedule/{session.pk}/").content.decode()
    browser.post(f"/schedule/{session.pk}/end/")
    session.refresh_from_db()
    assert session.end_time <= datetime.now(UTC)
    refused = browser.post(f"/schedule/{session.pk}/end/")
    assert refused.status_code == 200
    assert "is over already" in refused.content.decode()

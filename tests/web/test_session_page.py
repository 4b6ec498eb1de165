"""A session's page: what is told of the session, and its messages in Discord's look."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from messages_app.models import Revision
from messages_app.web import timeline
from messages_app.windows import Window
from tests.builders import START, at, make_feed, make_session
from tests.web.builders import (
    ANN,
    BEN,
    CHANNEL_ID,
    live_session,
    make_message,
    make_messages,
    past_session,
    poll_now,
)

pytestmark = pytest.mark.django_db


def page_of(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200, response
    return response.content.decode()


def test_a_live_session_says_how_long_is_left_and_how_fresh_it_is(browser: Client) -> None:
    session, _ = live_session()
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "live, 41 min left" in page or "live, 42 min left" in page
    assert "Last polled" in page
    assert "next in" in page


def test_a_live_session_that_nobody_polls_is_called_stale(browser: Client) -> None:
    session, feed = live_session()
    feed.polls.update(started_at=datetime.now(UTC) - timedelta(minutes=5))
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "No poll for 4 min: is poller.timer running?" in page


def test_a_failing_feed_is_told_calmly_to_those_who_watch(browser: Client) -> None:
    session, feed = live_session()
    feed.failures, feed.error = 3, "The exporter said «Live / secret»."
    feed.next_attempt_at = datetime.now(UTC) + timedelta(seconds=34)
    feed.save()
    page = page_of(browser, f"/sessions/{session.pk}/")
    text = re.sub(r"<[^>]+>", "", page)
    assert re.search(r"#pits cannot be read at the moment; it is tried again in 3[34] s\.", text)
    assert "exporter" not in text


def test_a_hole_between_two_polls_is_a_gap(browser: Client) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    session = make_session(
        start_time=now - timedelta(minutes=30), end_time=now + timedelta(minutes=30)
    )
    start = session.start_time
    make_feed(
        session,
        Window(start, start + timedelta(minutes=10)),
        Window(start + timedelta(minutes=13), now),
    )
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "gap of 3 min" in page
    assert '<rect class="gap"' in page


def test_messages_of_one_author_within_seven_minutes_stand_under_one_name(browser: Client) -> None:
    session, _ = past_session()
    first = make_message(at(1))
    soon = make_message(at(7))
    late = make_message(at(14.5))
    other = make_message(at(15), author=BEN)
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert f'class="message follows" id="m{soon.pk}"' in page
    for message in (first, late, other):
        assert f'class="message" id="m{message.pk}"' in page


def test_a_reply_shows_what_it_answers(browser: Client) -> None:
    session, _ = past_session()
    question = make_message(at(1), "which lap?")
    make_message(at(2), "lap 3", BEN, type="Reply", reference={"messageId": str(question.pk)})
    make_message(at(3), "yes", BEN, type="Reply", reference={"messageId": "1"})
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert f'<a href="/messages/{question.pk}/">' in page
    assert "Ann</b> which lap?" in page
    assert "In reply to a message that is not stored here" in page


def test_an_edited_message_keeps_its_former_text_at_hand(browser: Client) -> None:
    session, _ = past_session()
    message = make_message(at(1), "lap 4", timestampEdited=at(2).isoformat())
    Revision.objects.create(message=message, content="lap **3**", replaced_at=at(2))
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "<summary>edited</summary>" in page
    assert "lap <strong>3</strong>" in page


def test_a_deleted_message_is_marked_and_stays_readable(browser: Client) -> None:
    session, _ = past_session()
    message = make_message(at(1), "a secret", deleted_at=at(3))
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert f'class="message deleted" id="m{message.pk}"' in page
    assert "deleted, gone by 18:03:00" in page
    assert "a secret" in page


def test_attachments_embeds_stickers_and_reactions_are_shown(browser: Client) -> None:
    session, _ = past_session()
    make_message(
        at(1),
        "",
        attachments=[
            {
                "id": "1",
                "url": "https://cdn.discordapp.com/a.png",
                "fileName": "a.png",
                "fileSizeBytes": 2345,
            }
        ],
        embeds=[
            {
                "title": "Results",
                "description": "**won**",
                "fields": [{"name": "Lap", "value": "3"}],
            }
        ],
        stickers=[{"id": "2", "name": "Wave", "format": "Png"}],
        reactions=[{"emoji": {"id": "", "name": "🔥", "code": "fire"}, "count": 12}],
    )
    page = page_of(browser, f"/sessions/{session.pk}/")
    for part in ("a.png", "2 kB", "Results", "<strong>won</strong>", "Lap", "Wave", "🔥", ">12<"):
        assert part in page
    assert "<img src=" not in page.partition('id="log"')[2], "pictures load only when allowed"


def test_what_a_form_has_no_room_for_is_counted(browser: Client) -> None:
    session, _ = past_session()
    emoji = {"id": "", "name": "🔥", "code": "fire"}
    message = make_message(
        at(1),
        embeds=[{"title": "t" * 200, "description": "d" * 4_000}] * 8,
        attachments=[{"fileName": "f" * 250, "url": "https://cdn.x/" + "a" * 2_000}] * 5,
        reactions=[{"emoji": emoji, "count": 1}] * 2_500,
    )
    page = page_of(browser, f"/sessions/{session.pk}/")
    shown = page.partition(f'id="m{message.pk}"')[2]
    told = re.search(r"and ([\d,]+) more embeds?, ([\d,]+) more reactions", shown)
    assert told
    embeds, reactions = (int(number.replace(",", "")) for number in told.groups())
    assert shown.count('class="embed hue-') + embeds == 8
    assert shown.count("🔥") + reactions == 2_500
    assert shown.count('class="attachment"') == 5


def test_a_forward_shows_its_embeds_and_stickers(browser: Client) -> None:
    session, _ = past_session()
    forwarded = {
        "content": "look",
        "embeds": [{"title": "Results"}],
        "stickers": [{"name": "Wave"}],
    }
    make_message(at(1), "", forwardedMessage=forwarded)
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "Results" in page
    assert "Sticker: Wave" in page


def test_pictures_load_once_the_viewer_allows_it(browser: Client) -> None:
    session, _ = past_session()
    make_message(
        at(1), attachments=[{"url": "https://cdn.discordapp.com/a.png", "fileName": "a.png"}]
    )
    assert "img-src 'self' data:;" in browser.get("/")["Content-Security-Policy"]
    browser.post("/choices/", {"zone": "UTC", "pictures": "on"})
    response = browser.get(f"/sessions/{session.pk}/")
    assert '<img src="https://cdn.discordapp.com/a.png"' in response.content.decode()
    assert (
        "img-src 'self' data: https://cdn.discordapp.com/ https://media.discordapp.net/ "
        in response["Content-Security-Policy"]
    )


def test_a_message_whose_json_is_odd_is_shown_all_the_same(browser: Client) -> None:
    session, _ = past_session()
    message = make_message(
        at(1),
        "still here",
        attachments="none",
        embeds=[7, {"fields": {}, "color": "#zzzzzz", "image": "x", "url": "javascript:alert(1)"}],
        reactions=[{"emoji": None, "count": "many"}],
        reference={"messageId": "not a number"},
        mentions={"id": 3},
    )
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "still here" in page
    assert "javascript:" not in page
    type(message).objects.filter(pk=message.pk).update(raw="[]")
    assert "still here" in page_of(browser, f"/sessions/{session.pk}/")


def test_a_message_without_any_text_says_what_it_is(browser: Client) -> None:
    session, _ = past_session()
    make_message(at(1), "", type="46")
    make_message(at(2), "", type="99")
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "The result of a poll" in page
    assert "Nothing that an export can show" in page


def test_a_script_in_names_and_texts_stays_text(browser: Client) -> None:
    evil = "<script>alert(1)</script>"
    session, _ = past_session(title=evil)
    make_message(at(1), evil, {**ANN, "nickname": evil})
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "<script>alert" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 4


def test_the_pages_of_a_session_show_every_message_once(browser: Client) -> None:
    session, _ = past_session()
    texts = [f"message-{number:03}." for number in range(250)]
    make_messages(at(1), texts)
    seen: list[str] = []
    path = f"/sessions/{session.pk}/"
    for _ in range(3):
        page = page_of(browser, path)
        seen += [text for text in texts if text in page.partition('id="log"')[2]]
        later = page.partition('id="later" href="')[2].partition('"')[0]
        path = f"/sessions/{session.pk}/{later}"
    assert seen == texts
    assert later == ""
    earlier = page.partition('id="earlier" href="')[2].partition('"')[0]
    before = page_of(browser, f"/sessions/{session.pk}/{earlier}")
    assert "message-100." in before
    assert "message-199." in before
    assert "message-200." not in before


def test_the_number_of_queries_does_not_grow_with_the_messages(browser: Client) -> None:
    session, _ = past_session()
    question = make_message(at(0.5), "<#200> <@501>")
    counts = []
    for minute, number in ((1, 3), (5, 90)):
        reference = {"messageId": str(question.pk)}
        for message in make_messages(at(minute), ["x"] * number, reference=reference):
            Revision.objects.create(message=message, content="y", replaced_at=at(9))
        timeline.forget()
        with CaptureQueriesContext(connection) as queries:
            page_of(browser, f"/sessions/{session.pk}/")
        counts.append(len(queries))
        assert not any("COUNT(*)" in query["sql"].upper() for query in queries)
    assert counts[0] == counts[1]
    assert counts[0] <= 14


def test_a_permalink_leads_to_the_message_in_its_session(browser: Client) -> None:
    session, _ = past_session()
    messages = make_messages(at(1), [f"text-{number:03}." for number in range(300)])
    target = messages[150]
    response = browser.get(f"/messages/{target.pk}/")
    assert response["Location"] == f"/sessions/{session.pk}/?around={target.pk}#m{target.pk}"
    page = page_of(browser, response["Location"])
    assert f'class="message follows target" id="m{target.pk}"' in page
    assert "text-100." in page
    assert "text-199." in page
    assert browser.get("/messages/7/").status_code == 404


def test_a_jump_leads_to_the_first_message_from_then_on(browser: Client) -> None:
    session, _ = past_session()
    make_message(at(5), "too early")
    make_message(at(10), "just right")
    page = page_of(browser, f"/sessions/{session.pk}/?at=2026-05-01T18:06:00Z")
    assert "just right" in page
    assert "too early" not in page
    browser.post("/choices/", {"zone": "Europe/Berlin"})
    assert "too early" not in page_of(browser, f"/sessions/{session.pk}/?at=2026-05-01T20:06")
    assert "too early" in page_of(browser, f"/sessions/{session.pk}/?at=2026-05-01T20:04")


@pytest.mark.parametrize(
    "query",
    [
        "after=x", "after=-", "after=99999999999999999-1", "before=1-", "at=yesterday", "around=x",
        "around=99999999999999999999", "at=0001-01-01T00:00", "channel=99999999999999999999",
        "author=99999999999999999999", "text=%00", "at=9999-12-31T23:59-12:00",
    ],
)  # fmt: skip
def test_a_query_that_makes_no_sense_is_answered_with_a_page(browser: Client, query: str) -> None:
    session, _ = past_session()
    page_of(browser, f"/sessions/{session.pk}/?{query}")


def test_times_are_shown_in_the_chosen_zone_or_as_the_offset(browser: Client) -> None:
    session, _ = past_session()
    make_message(at(12.5))
    path = f"/sessions/{session.pk}/"
    assert ">18:12:30</time>" in page_of(browser, path)
    browser.post("/choices/", {"zone": "Asia/Tokyo"})
    assert ">03:12:30</time>" in page_of(browser, path)
    browser.post("/choices/", {"zone": "Asia/Tokyo", "clock": "offset"})
    assert ">+0:12:30</time>" in page_of(browser, path)


def test_a_zone_that_does_not_exist_is_refused(browser: Client) -> None:
    response = browser.post("/choices/", {"zone": "Mars/Olympus"})
    assert response.status_code == 400
    assert "Mars/Olympus" in response.content.decode()


def test_the_choices_lead_back_to_this_site_only(browser: Client) -> None:
    response = browser.post("/choices/", {"zone": "UTC", "next": "https://elsewhere.example/"})
    assert response["Location"] == "/"


def test_the_timeline_counts_the_messages_of_each_minute(browser: Client) -> None:
    session, _ = past_session()
    make_messages(at(3), ["x"] * 5)
    make_message(at(20))
    page = page_of(browser, f"/sessions/{session.pk}/")
    assert "<title>18:03: 5 messages</title>" in page
    assert "<title>18:20: 1 message</title>" in page
    assert f'href="/sessions/{session.pk}/?at=2026-05-01T18:03:00Z"' in page


def test_the_timeline_of_a_live_session_grows_with_its_polls(browser: Client) -> None:
    session, feed = live_session()
    make_message(datetime.now(UTC) - timedelta(seconds=10))
    assert "1 message," in page_of(browser, f"/sessions/{session.pk}/")
    make_message(datetime.now(UTC) - timedelta(seconds=5))
    poll_now(feed, messages_new=1)
    assert "2 messages," in page_of(browser, f"/sessions/{session.pk}/")


def test_the_strip_ends_where_the_channel_that_lags_most_does(browser: Client) -> None:
    session, _ = live_session()
    start = session.start_time
    strip = '<rect class="covered" x="0.0" width="{:.1f}"'

    make_feed(session, Window(start, start + timedelta(minutes=18)), channel_id=300)
    assert strip.format(250) in page_of(browser, f"/sessions/{session.pk}/")

    make_feed(session, channel_id=400)
    assert '<rect class="covered"' not in page_of(browser, f"/sessions/{session.pk}/")


def test_messages_of_other_channels_and_times_are_not_shown(browser: Client) -> None:
    session, _ = past_session()
    make_feed(make_session(100, 160), channel_id=300)
    make_message(at(5), "elsewhere", channel_id=300)
    make_message(START - timedelta(seconds=1), "too early")
    make_message(at(60), "too late")
    make_message(START, "on the start", channel_id=CHANNEL_ID)
    log = page_of(browser, f"/sessions/{session.pk}/").partition('id="log"')[2]
    assert "on the start" in log
    for text in ("elsewhere", "too early", "too late"):
        assert text not in log


def test_an_unknown_session_is_not_found(browser: Client) -> None:
    for path in ("/sessions/7/", "/sessions/99999999999999999999/", "/sessions/7/live/"):
        assert browser.get(path).status_code == 404


def test_pictures_load_from_discords_hosts_only_and_spoilers_are_covered(browser: Client) -> None:
    session, _ = past_session()
    for number, url in enumerate(
        (
            "https://cdn.discordapp.com.evil.example/1.png",
            "https://cdn.discordapp.com@evil.example/1.png",
            "http://cdn.discordapp.com/1.png",
            "https://evil.example/cdn.discordapp.com/1.png",
        )
    ):
        make_message(at(number), attachments=[{"url": url, "fileName": "1.png"}])
    hidden = {"url": "https://cdn.discordapp.com/x/SPOILER_2.png", "fileName": "SPOILER_2.png"}
    make_message(at(9), attachments=[hidden])
    browser.cookies["pictures"] = "load"
    page = browser.get(f"/sessions/{session.pk}/").content.decode()
    assert re.findall(r'<img src="([^"]*)" alt="[^"]*" loading="lazy">', page) == [hidden["url"]]
    assert f'title="Spoiler"><a href="{hidden["url"]}"' in page

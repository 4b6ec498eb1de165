"""Filters and full-text search, the same on both engines."""

from __future__ import annotations

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages_app.models import Message
from messages_app.search import index_new, matching
from tests.builders import at, make_feed, span
from tests.web.builders import BEN, make_message, past_session

pytestmark = pytest.mark.django_db


def found(text: str) -> list[str]:
    return [m.content for m in matching(Message.objects.all(), text, span(0, 60)).in_time_order()]


def test_a_search_finds_every_word_in_any_order_and_case() -> None:
    past_session()
    make_message(at(1), "Rain at the lighthouse")
    make_message(at(2), "the rain stopped")
    assert found("RAIN lighthouse") == ["Rain at the lighthouse"]
    assert len(found("rain")) == 2
    assert found("thunder") == []


def test_a_phrase_is_found_as_it_stands() -> None:
    past_session()
    make_message(at(1), "last lap now")
    make_message(at(2), "lap last now")
    assert found('"last lap"') == ["last lap now"]


def test_the_last_word_may_be_unfinished() -> None:
    past_session()
    make_message(at(1), "telemetry")
    assert found("tele") == ["telemetry"]
    assert found('"tele"') == []


def test_a_search_sees_edits_and_deletions_of_rows() -> None:
    past_session()
    message = make_message(at(1), "alpha")
    Message.objects.filter(pk=message.pk).update(content="beta")
    assert (found("alpha"), found("beta")) == ([], ["beta"])
    Message.objects.filter(pk=message.pk).update(content="")
    assert found("beta") == []
    Message.objects.filter(pk=message.pk).update(content="gamma")
    assert found("gamma") == ["gamma"]
    Message.objects.filter(pk=message.pk).delete()
    assert found("gamma") == []


def test_a_message_that_is_indexed_twice_is_found_once_and_forgotten_whole() -> None:
    past_session()
    message = make_message(at(1), "alpha")
    index_new([(message.pk, message.content)])
    assert found("alpha") == ["alpha"]
    Message.objects.filter(pk=message.pk).update(content="beta")
    assert found("alpha") == []


def test_a_search_stays_within_its_span() -> None:
    past_session()
    make_message(at(59.9), "inside")
    make_message(at(61), "outside")
    assert found("inside") == ["inside"]
    assert found("outside") == []


def test_a_word_of_a_huge_text_can_be_stored_and_found() -> None:
    past_session()
    make_message(at(1), "needle " + "x" * 5000 + " hay " * 30_000)
    assert len(found("needle")) == 1


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(alphabet=st.sampled_from("ab \"'\\*:()&|!-^~<>%\0é日{}NEAR"), max_size=20))
def test_whatever_is_typed_searches_without_an_error(text: str) -> None:
    list(matching(Message.objects.all(), text, span(0, 60)))


def test_the_page_filters_by_author_attachment_question_and_text(browser: Client) -> None:
    session, _ = past_session()
    make_message(at(1), "who leads?")
    make_message(at(2), "see https://a.b/?q=1 then", BEN)
    make_message(at(3), "the photo", BEN, attachments=[{"fileName": "a.png", "url": "https://x/y"}])
    make_message(at(4), "really?! (yes?)")

    def shown(query: str) -> list[str]:
        page = browser.get(f"/sessions/{session.pk}/?{query}").content.decode()
        log = page.partition('id="log"')[2].partition("</ol>")[0]
        texts = {"leads": "who leads?", "see": "see ", "photo": "the photo", "really": "really?!"}
        return [name for name, text in texts.items() if text in log]

    assert shown("author=ben") == ["see", "photo"]
    assert shown("author=502") == ["see", "photo"]
    assert shown("attachments=on") == ["photo"]
    assert shown("questions=on") == ["leads", "really"]
    assert shown("text=photo") == ["photo"]
    assert shown("text=photo&author=ann") == []
    assert shown("channel=200&questions=on&author=ann") == ["leads", "really"]
    assert shown("channel=1") == []


def test_a_search_without_any_word_says_so(browser: Client) -> None:
    session, _ = past_session()
    make_message(at(1))
    page = browser.get(f"/sessions/{session.pk}/?text=!!!").content.decode()
    assert "A search needs at least one word." in page


def test_the_filter_stays_on_the_next_page(browser: Client) -> None:
    session, _ = past_session()
    make_feed(session, channel_id=300)
    for number in range(101):
        make_message(at(1 + number / 60), f"word {number}", BEN)
    page = browser.get(f"/sessions/{session.pk}/?text=word&author=ben").content.decode()
    later = page.partition('id="later" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "text=word" in later
    following = browser.get(f"/sessions/{session.pk}/{later}").content.decode()
    assert "word 100" in following

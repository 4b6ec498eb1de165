"""Filters and full-text search, the same on both engines."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages_app.database.forms import fill_forms, sources
from messages_app.database.search import matching, terms
from messages_app.document.words import phrase_of, words_of
from messages_app.models import Channel, Message
from tests.builders import at, make_feed, span
from tests.web.builders import BEN, make_message, past_session

# ruff: noqa: RUF001 - that wide letters look like others is the point
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


def test_a_search_sees_edits_and_removals_of_rows() -> None:
    past_session()
    message = make_message(at(1), "alpha")
    for number, text in enumerate(["beta", "", "gamma"]):
        message.raw, message.fingerprint = json.dumps({"content": text}), number
        message.save()
        fill_forms(list(sources([message.pk])))
        assert found("alpha") == []
        assert len(found(text)) == bool(text)
    message.delete()
    assert found("gamma") == []


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("今日のレースは雨で中止になりました", "中止"),
        ("周杰伦的新歌很好听，稻香", "新歌"),
        ("周杰伦的新歌很好听，稻香", "香"),
        ("ฝนตกหนักมากวันนี้", "หนัก"),
        ("오늘 경기가 취소되었습니다", "경기"),
        ("C++ and C# and .NET", "c++"),
        ("C++ and C# and .NET", ".net"),
        ("lap #12 of 40", "#12"),
        ("lap #12 of 40", "12"),
        ("lap #12 of 40", "#1"),
        ("Straße naïve café", "STRASSE cafe"),
        ("ﬁnal ｆｕｌｌｗｉｄｔｈ", "final fullwidth"),
        ("\N{PARTY POPPER}\N{PARTY POPPER} congratulations", "\N{PARTY POPPER}"),
        ("well <:party_parrot:123>", "parrot"),
        ("well <:party_parrot:123>", ":party_parrot:"),
        ("re-id'd message wombat", '"re-id\'d message"'),
    ],
)
def test_what_was_said_is_found_as_it_is_typed(said: str, typed: str) -> None:
    past_session()
    make_message(at(1), said)
    make_message(at(2), "another message")
    assert found(typed) == [said]


@pytest.mark.parametrize(
    "typed", ["is:edited", "all", "in:200", "from:501", "\ue000all", '"\ue001"']
)
def test_a_term_is_not_found_as_a_word(typed: str) -> None:
    past_session()
    make_message(at(1), "nothing")
    assert found(typed) == []


def test_no_phrase_is_found_across_two_texts_of_a_message() -> None:
    past_session()
    make_message(at(1), "first lap", embeds=[{"title": "record time"}])
    assert found('"record time"') == ["first lap"]
    assert found("lap record") == ["first lap"]
    assert found('"lap record"') == []


TEXTS = st.text(
    alphabet=st.sampled_from("ab C+#.é 日本ไท\N{PARTY POPPER}'\"-_<:>1\ue000\ue001"), max_size=12
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(TEXTS, min_size=1, max_size=6), TEXTS, st.booleans())
def test_a_search_agrees_with_reading_every_message(
    said: list[str], typed: str, quoted: bool
) -> None:
    Message.objects.all().delete()
    Channel.objects.get_or_create(pk=200)
    for number, text in enumerate(said):
        make_message(at(1 + number), text)
    query = f'"{typed}"' if quoted else typed

    def holds(text: str) -> bool:
        words = words_of([text])
        wanted = terms(query)
        for number, term in enumerate(wanted):
            is_open = number == len(wanted) - 1 and not query.rstrip().endswith('"')
            phrase, goes_on = phrase_of(term, is_open=is_open)
            if not any(
                words[at : at + len(phrase) - 1] == phrase[:-1]
                and at + len(phrase) <= len(words)
                and (
                    words[at + len(phrase) - 1].startswith(phrase[-1])
                    if goes_on
                    else words[at + len(phrase) - 1] == phrase[-1]
                )
                for at in range(len(words))
            ):
                return False
        return bool(wanted)

    assert found(query) == [text for text in said if holds(text)]


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

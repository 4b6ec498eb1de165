"""Whatever stands in a document, no page, download or answer breaks."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.http import StreamingHttpResponse
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messages_app.models import Channel, Message, Revision, Session
from messages_app.scheduling import add_session
from messages_app.windows import Window
from tests.builders import at
from tests.commands import Commands
from tests.export_documents import document, message, minified, rich_message, user
from tests.web.builders import snowflake

pytestmark = pytest.mark.django_db

CHANNEL = {"id": "200", "name": "pits", "type": "GuildTextChat"}
HALF = "\ud83d"  # the first half of an emoji, cut as exporters cut them


def stored(commands: Commands, folder: Path, *messages: Any, **changes: Any) -> Session:
    """A closed session that holds these messages, imported as they are."""
    path = folder / "export.json"
    path.write_bytes(minified(document(*messages, **{"channel": CHANNEL} | changes)))
    commands("import_messages", str(path))
    assert Message.objects.count() == len(messages)
    return add_session("Race", Window(at(0), at(60)), [200], allow_overlap=True)


def told(minute: float, /, **changes: Any) -> dict[str, Any]:
    return {"id": str(snowflake(at(minute))), "timestamp": at(minute).isoformat()} | changes


def shown_everywhere(browser: Client, session: Session) -> str:
    """The session's page; every other way to look at it is walked as well."""
    page = browser.get(f"/sessions/{session.pk}/")
    assert page.status_code == 200
    count = Message.objects.count()
    answer = browser.get(f"/api/sessions/{session.pk}/messages/").json()
    assert len(answer["messages"]) == count
    for one in Message.objects.all():
        assert browser.get(f"/messages/{one.pk}/", follow=True).status_code == 200
    assert browser.get(f"/sessions/{session.pk}/?text=hello&attachments=on").status_code == 200
    lines = downloaded(browser, session, "jsonl").splitlines()  # splits at odd line ends, too
    assert [json.loads(line)["discord_id"] for line in lines] == [
        message["discord_id"] for message in answer["messages"]
    ]
    table = downloaded(browser, session, "csv")
    assert "\r" not in table
    rows = list(csv.DictReader(io.StringIO(table)))
    assert len(rows) == count
    assert downloaded(browser, session, "html").count('class="message') == count
    return page.content.decode()


def downloaded(browser: Client, session: Session, kind: str) -> str:
    response = browser.get(f"/sessions/{session.pk}/download/{kind}/")
    assert isinstance(response, StreamingHttpResponse)
    return response.getvalue().decode()


def everywhere(value: Any, /) -> Any:
    """The value with every text in it replaced by a broken one, but for ids, times and links."""
    if isinstance(value, dict):
        return {
            key: item
            if key in {"id", "timestamp", "timestampEdited", "messageId"}
            else everywhere(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [everywhere(item) for item in value]
    return f"{value[:8]}{HALF}\0" if isinstance(value, str) else value


def test_half_characters_in_every_field_are_shown_replaced(
    browser: Client, commands: Commands, tmp_path: Path
) -> None:
    broken = everywhere(rich_message(type="Default")) | told(1)
    forward = told(2, content="", forwardedMessage={"content": HALF, "embeds": [{"title": HALF}]})
    reply = told(3, reference={"messageId": HALF, "channelId": HALF})

    page = shown_everywhere(browser, stored(commands, tmp_path, broken, forward, reply))

    assert "\ufffd" in page


HUGE = 10**400
EXTREMES = {
    "size": {"attachments": [{"fileName": "a.png", "url": "https://x/a", "fileSizeBytes": HUGE}]},
    "negative size": {"attachments": [{"fileName": "a", "fileSizeBytes": -HUGE}]},
    "count": {"reactions": [{"emoji": {"name": "x"}, "count": HUGE}]},
    "edited in year 1": {"timestampEdited": "0001-01-01T00:00:00+00:00"},
    "edited in year 9999": {"timestampEdited": "9999-12-31T23:59:59.999+00:00"},
    "large references": {"reference": {"messageId": "9" * 20, "channelId": "9" * 20}},
    "largest reference": {"reference": {"messageId": "9" * 19}},
    "large mentions": {"content": f"<#{'9' * 19}> <@{'9' * 20}> <@&{'9' * 20}> <a:b:{'9' * 20}>"},
    "times in the text": {"content": "<t:99999999999> <t:-62135596800:R> <t:253402300799:F>"},
    "large emoji": {"reactions": [{"emoji": {"id": "9" * 20, "name": "x"}, "count": 1}]},
    "types of other kinds": {
        "attachments": {"0": "a"},
        "embeds": "e",
        "reactions": [[], None, 5],
        "stickers": {},
        "mentions": [None, {"id": 5}],
        "author": {"id": 7, "name": ["x"], "color": 5},
        "reference": [],
        "forwardedMessage": "text",
    },
    "parts of other kinds": {
        "attachments": [{"fileName": 5, "url": [], "fileSizeBytes": "many"}],
        "embeds": [{"title": 5, "fields": {}, "image": "x", "footer": [], "color": "#GGGGGG"}],
        "reactions": [{"emoji": "x", "count": "many"}],
        "author": {"id": "5", "name": "x", "color": "#12345\N{DIGIT ONE}", "roles": "x"},
        "forwardedMessage": {"content": 5, "attachments": {}, "embeds": [5]},
    },
    "fractions": {"attachments": [{"fileSizeBytes": 1.5}], "reactions": [{"count": 1e300}]},
    "no text at all": {"content": None, "author": None},
    "half a character instead of a list": {"attachments": HALF, "author": {"name": HALF}},
    "line ends": {"content": "a\r\nb\rc\u2028d\x85e", "author": user(nickname="a\r\nb")},
}


@pytest.mark.parametrize("extreme", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
def test_extreme_values_break_no_page(
    browser: Client, commands: Commands, tmp_path: Path, extreme: dict[str, Any], zone: str
) -> None:
    browser.cookies["zone"] = zone
    shown_everywhere(browser, stored(commands, tmp_path, told(1, **extreme)))


def test_a_former_text_replaced_at_the_end_of_the_calendar_is_shown(
    browser: Client, commands: Commands, tmp_path: Path
) -> None:
    browser.cookies["zone"] = "Asia/Tokyo"
    session = stored(commands, tmp_path, told(1))
    end = "9999-12-31T23:59:59+00:00"
    Revision.objects.create(message=Message.objects.get(), content="x", replaced_at=end)
    Message.objects.update(deleted_at=end)

    shown_everywhere(browser, session)


texts = st.text(max_size=8) | st.sampled_from([HALF, "\0", "9" * 20, "https://x/\ud83d", "#123456"])
numbers = st.integers() | st.just(HUGE) | st.floats(allow_nan=False, allow_infinity=False)
NAMES = ["id", "name", "nickname", "url", "title", "description", "fields", "value", "author"]
NAMES += ["image", "footer", "text", "count", "emoji", "fileName", "users", "content", "messageId"]
NAMES += ["color", "roles", "isBot", "code", "fileSizeBytes"]
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5)
    ),
    max_leaves=12,
)
KEYS = ["author", "attachments", "embeds", "stickers", "reactions", "mentions", "reference"]
KEYS += ["forwardedMessage", "interaction", "poll", "components", "inlineEmojis", "isPinned"]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.dictionaries(st.sampled_from(KEYS), anything | st.lists(anything, max_size=2)))
def test_whatever_other_programs_write_breaks_nothing(
    browser: Client, commands: Commands, tmp_path: Path, keys: dict[str, Any]
) -> None:
    Session.objects.all().delete()
    Message.objects.all().delete()
    Channel.objects.all().delete()
    author = keys.get("author")
    if isinstance(author, dict):
        author.pop("username", None)
    shown_everywhere(browser, stored(commands, tmp_path, message(**{**keys, **told(1)})))

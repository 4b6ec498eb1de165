"""Messages of the API beside the document's, of every kind: equal in each key, value and order.

golden/api.json is in the form of Discord's answers, golden/document.json in that of
DiscordChatExporter 2.47 with `--utc --markdown false`, both invented; what is richer by intent
(poll, components, messageSnapshots) stands in the document, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from messages_app.discord.emoji import emojis_in
from messages_app.discord.message import document_of, is_blank, proves_intent, users_of
from messages_app.discord.people import People, member_from
from messages_app.document.message import message_from
from messages_app.errors import ExportUnusable

GOLDEN = Path(__file__).parent / "golden"
API: dict[str, Any] = json.loads((GOLDEN / "api.json").read_text())
DOCUMENT: list[dict[str, Any]] = json.loads((GOLDEN / "document.json").read_text())
PEOPLE = People(
    API["guild_id"],
    API["roles"],
    {user_id: member_from(member) for user_id, member in API["members"].items()},
)


@pytest.mark.parametrize(
    ("raw", "document"),
    list(zip(API["messages"], DOCUMENT, strict=True)),
    ids=[message["type"] for message in DOCUMENT],
)
def test_a_message_is_written_as_the_document_has_it(
    raw: dict[str, Any], document: dict[str, Any]
) -> None:
    assert json.dumps(document_of(raw, PEOPLE)) == json.dumps(document)


@pytest.mark.parametrize("key", sorted({key for raw in API["messages"] for key in raw} - {"id"}))
@pytest.mark.parametrize("value", [None, 7, "x", [None], {"x": []}, [{"id": 5}]])
def test_a_key_of_unexpected_form_never_drops_the_message(key: str, value: object) -> None:
    for raw in API["messages"]:
        odd = {**raw, key: value}
        document = document_of(odd, PEOPLE)
        assert message_from(document).discord_id == int(raw["id"])
        if "discord" in document:
            assert document["discord"] == odd
        assert all(user["id"] for user in users_of(odd))
        assert not (is_blank(odd) and proves_intent(odd))


def test_what_has_no_id_is_no_message() -> None:
    with pytest.raises(ExportUnusable):
        document_of({"content": "hi"}, PEOPLE)


def test_emoji_of_a_text_are_those_that_the_other_exporter_finds() -> None:
    found = emojis_in("日本語 العربية ✨ 👨‍👩‍👧‍👦 🏁🏁 <:podium:540000000000000001> `👍`")
    assert [each["name"] for each in found] == ["👨", "👩", "👧", "👦", "🏁", "podium"]


def test_names_are_asked_for_everybody_but_webhooks() -> None:
    by_type = {raw["type"]: raw for raw in API["messages"]}
    assert [user["username"] for user in users_of(by_type[20])] == ["ben", "lapbot"]
    webhook = next(raw for raw in API["messages"] if raw["author"]["username"] == "Results")
    assert users_of(webhook) == []


def test_content_of_somebody_who_mentions_nobody_proves_the_intent() -> None:
    plain, with_mention, *_ = API["messages"]
    assert proves_intent(plain)
    assert not proves_intent(with_mention)
    assert not proves_intent({**plain, "content": ""})
    assert is_blank({**plain, "content": ""})
    assert is_blank({**plain, "content": "", "sticker_items": [{"id": "1"}]})
    assert not is_blank({**plain, "type": 7, "content": ""})

"""What is known of a message does not depend on the order in which exports are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages_app.document.merge import Known, merged
from messages_app.document.versions import Version, former_versions
from tests.export_documents import Json, attachment, embed, message, reaction, user

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


@dataclass(frozen=True)
class Belief:
    """What is believed after some sightings."""

    known: Known
    versions: tuple[Version, ...] = ()

    def after(self, sighting: Known) -> Belief:
        both = merged(self.known, sighting)
        changed = former_versions(self.versions, self.known, sighting, both)
        edits = {version.edited_at for version in changed}
        stay = [version for version in self.versions if version.edited_at not in edits]
        return Belief(both, tuple(sorted((*stay, *changed), key=lambda one: str(one.edited_at))))


def belief(sightings: Iterable[Known]) -> Belief:
    first, *others = sightings
    found = Belief(first)
    for sighting in others:
        found = found.after(sighting)
    return found


def seen(minute: float, /, **changes: Any) -> Known:
    """A sighting of a message; a number as `edited` is the minute of the edit."""
    if "edited" in changes:
        edited = changes.pop("edited")
        changes["timestampEdited"] = None if edited is None else at(edited).isoformat()
    return Known(message(**changes), at(minute))


def after(*sightings: Known) -> Json:
    return belief(sightings).known.value


def former(*sightings: Known) -> list[tuple[datetime | None, str, datetime]]:
    return [
        (version.edited_at, version.content, version.replaced_at)
        for version in belief(sightings).versions
    ]


# What counts.


def test_an_edit_is_what_moves_the_time_of_editing() -> None:
    before, edit = seen(1, content="first"), seen(2, content="2nd", edited=1.5)
    assert after(before, edit)["content"] == "2nd"
    assert former(before, edit) == [(None, "first", at(2))]
    assert former(edit, before) == [(None, "first", at(2))]


def test_an_edit_that_leaves_the_text_has_a_former_version_with_its_files() -> None:
    before, edit = seen(1, attachments=[attachment()], embeds=[embed()]), seen(2, edited=1.5)
    (version,) = belief([before, edit]).versions
    assert (version.files, version.embeds) == ([attachment()], [embed()])


def test_of_several_edits_each_version_is_kept_once() -> None:
    sightings = [
        seen(1, content="one"),
        seen(2, content="two", edited=1.5),
        seen(3, content="three", edited=2.5),
        seen(4, content="three", edited=2.5),
    ]
    for order in permutations(sightings):
        assert former(*order) == [(at(1.5), "two", at(3)), (None, "one", at(2))]


@pytest.mark.parametrize(
    ("fuller", "other"),
    [
        ("<@700> see <#800> <:wave:900> <t:1777665600:R>", "@Cleo see #rules :wave: 1 May 2026"),
        ("Added Cleo to the group.", "Added a recipient."),
        ("text", ""),
    ],
)
def test_other_words_of_one_edit_are_neither_edit_nor_version(fuller: str, other: str) -> None:
    for one, two in permutations([seen(1, content=fuller), seen(2, content=other)]):
        assert after(one, two)["content"] == fuller
        assert former(one, two) == []


BLANK = {"content": "", "attachments": [], "embeds": []}


@pytest.mark.parametrize("edited", [None, 1.5])
def test_what_was_seen_stays_when_sight_is_lost(edited: float | None) -> None:
    sighted = seen(1, content="text", attachments=[attachment()])
    blank = seen(2, **BLANK, edited=edited, isPinned=True)
    for one, two in permutations([sighted, blank]):
        value = after(one, two)
        assert (value["content"], value["attachments"]) == ("text", [attachment()])
        assert value["timestampEdited"] is None
        assert value["isPinned"]  # which anybody sees
        assert former(one, two) == []


def test_an_edit_that_was_seen_blank_is_an_edit_once_it_is_seen() -> None:
    order = [seen(1, content="a"), seen(2, **BLANK, edited=1.5), seen(3, content="b", edited=1.5)]
    assert after(*order)["content"] == "b"
    assert former(*order) == [(None, "a", at(3))]


def test_embeds_come_and_go() -> None:
    bare, preview, gone = seen(1), seen(2, embeds=[embed()]), seen(3)
    assert after(bare, preview)["embeds"] == [embed()]
    assert after(bare, preview, gone)["embeds"] == []
    assert former(bare, preview, gone) == []


def test_links_stay_where_files_were_downloaded() -> None:
    local = attachment(url="x.json_Files\\photo-1A2B3.png")
    picture = embed(image={"url": "x.json_Files/a.png"}, images=[])
    plain = seen(1, attachments=[attachment()], embeds=[embed()])
    downloaded = seen(2, attachments=[local], embeds=[picture])
    for one, two in permutations([plain, downloaded]):
        assert after(one, two)["attachments"] == [attachment()]
        assert after(one, two)["embeds"] == [embed()]


def test_a_kind_keeps_its_name() -> None:
    for one, two in permutations([seen(1, type="ThreadCreated"), seen(2, type="18")]):
        assert after(one, two)["type"] == "ThreadCreated"


def test_what_an_exporter_cannot_know_stays() -> None:
    poll, components = {"question": "Which cake?"}, [{"type": "ActionRow"}]
    knowing = seen(1, poll=poll, components=components, reactions=[reaction(user(2), user(3))])
    fewer = [{key: value for key, value in reaction().items() if key != "users"} | {"count": 5}]
    other = seen(2, reactions=fewer)
    for one, two in permutations([knowing, other]):
        value = after(one, two)
        assert (value["poll"], value["components"]) == (poll, components)
        assert value["reactions"] == [fewer[0] | {"users": [user(2), user(3)]}]


def test_what_an_exporter_knows_to_be_gone_is_gone() -> None:
    with_button, without = seen(1, components=[{"type": "ActionRow"}]), seen(2, components=[])
    assert after(with_button, without)["components"] == []


def test_reactions_pins_and_names_are_as_they_were_seen_last() -> None:
    first = seen(1, reactions=[reaction(user(2))], isPinned=True, author=user(nickname="Old"))
    last = seen(2, reactions=[], isPinned=False, author=user(nickname="New"))
    for one, two in permutations([first, last]):
        value = after(one, two)
        assert (value["reactions"], value["isPinned"]) == ([], False)
        assert value["author"]["nickname"] == "New"


def test_a_trimmed_document_that_does_not_tell_edits_makes_no_version() -> None:
    edit, trimmed = (
        seen(1, content="text", edited=0.5),
        seen(2, timestampEdited=..., content="text"),
    )
    assert former(edit, trimmed) == former(trimmed, edit) == []


# The order.

documents = st.fixed_dictionaries(
    {},
    optional={
        "edited": st.sampled_from([None, 1, 2]),
        "content": st.sampled_from(["", "", "a", "bb", "<@7>", "@Cleo", "<@7> b"]),
        "attachments": st.sampled_from([[], [attachment(1)], [attachment(1, url="x\\a.png")]]),
        "embeds": st.sampled_from(
            [[], [embed()], [embed(title="Other")], [{"url": "x.json_Files/a"}], ...]
        ),
        "type": st.sampled_from(["18", "ThreadCreated", "Default"]),
        "isPinned": st.booleans(),
        "author": st.sampled_from([user(1), user(1, nickname="Other"), None]),
        "reactions": st.sampled_from([[], [reaction(user(2))], [reaction(user(2), user(3))]]),
        "poll": st.sampled_from([{"votes": 1}, {"votes": 2}, None]),
        "components": st.sampled_from([[], [{"type": "ActionRow"}]]),
        "mentions": st.sampled_from([[], [user(4)], ...]),
    },
)
sightings = st.lists(
    st.builds(lambda minute, changes: seen(minute, **changes), st.integers(3, 7), documents),
    min_size=2,
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(sightings)
def test_any_order_of_sightings_comes_to_the_same(found: list[Known]) -> None:
    expected = belief(found)
    for order in permutations(found):
        assert belief(order) == expected


@settings(max_examples=100, deadline=None)
@given(sightings)
def test_a_sighting_tells_nothing_the_second_time(found: list[Known]) -> None:
    expected = belief(found)
    for again in found:
        assert expected.after(again) == expected

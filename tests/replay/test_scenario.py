"""What a scenario shows, and when."""

from datetime import timedelta
from pathlib import Path

import pytest

from messages_app.replay.instants import instant_of, milliseconds
from messages_app.replay.problems import Misconfigured
from messages_app.replay.scenario import Scenario

from .stand_in import CHANNEL, NOON, StandIn, at


def texts(scenario: Scenario, seconds: float) -> list[str]:
    """What channel 200 shows so many seconds after noon."""
    shown = scenario.shown(CHANNEL, NOON + timedelta(seconds=seconds))
    return [message["content"] for message in shown]


@pytest.fixture
def scenario() -> Scenario:
    """A scenario that begins at noon."""
    return Scenario(NOON)


def test_a_message_shows_from_its_post_on(scenario: Scenario) -> None:
    scenario.channel(CHANNEL).post(10, "hello")
    assert [texts(scenario, seconds) for seconds in (9.999, 10)] == [[], ["hello"]]


def test_a_late_message_shows_later_with_its_own_time(scenario: Scenario) -> None:
    scenario.channel(CHANNEL).post(10, "late", visible_at=13)
    assert [texts(scenario, seconds) for seconds in (12.999, 13)] == [[], ["late"]]
    message = scenario.shown(CHANNEL, NOON + timedelta(seconds=60))[0]
    assert message["timestamp"] == "2026-11-23T12:00:10+00:00"


def test_edits_follow_one_another_and_set_the_time_of_the_last(scenario: Scenario) -> None:
    scenario.channel(CHANNEL).post(0, "a", edits=[(5, "b"), (8.5, "c")])
    assert [texts(scenario, seconds) for seconds in (4, 5, 8.5)] == [["a"], ["b"], ["c"]]
    before = scenario.shown(CHANNEL, NOON + timedelta(seconds=4))[0]
    after = scenario.shown(CHANNEL, NOON + timedelta(seconds=9))[0]
    assert before["timestampEdited"] is None
    assert after["timestampEdited"] == "2026-11-23T12:00:08.5+00:00"


def test_a_change_of_keys_is_no_edit(scenario: Scenario) -> None:
    scenario.channel(CHANNEL).post(0, "a", edits=[(5, {"isPinned": True})])
    message = scenario.shown(CHANNEL, NOON + timedelta(seconds=5))[0]
    assert (message["isPinned"], message["timestampEdited"]) == (True, None)


def test_a_deleted_message_goes_and_may_return(scenario: Scenario) -> None:
    scenario.channel(CHANNEL).post(0, "a", deleted_at=5, restored_at=8)
    assert [texts(scenario, seconds) for seconds in (4.9, 5, 7.9, 8)] == [["a"], [], [], ["a"]]


def test_keys_can_be_added_replaced_and_left_out(scenario: Scenario) -> None:
    scenario.channel(CHANNEL).post(0, "a", message={"new": 1, "type": "46"}, without=["stickers"])
    message = scenario.shown(CHANNEL, NOON)[0]
    assert (message["new"], message["type"]) == (1, "46")
    assert "stickers" not in message


def test_ids_are_of_their_millisecond_and_in_order_and_unique(scenario: Scenario) -> None:
    ids = [
        int(scenario.channel(channel).post(7.5, "same millisecond"))
        for channel in (CHANNEL, "201")
        for _ in range(50)
    ]
    assert {instant_of(message_id) for message_id in ids} == {milliseconds(NOON) + 7500}
    assert len(set(ids)) == 100
    assert ids[:50] == sorted(ids[:50])


def test_messages_are_shown_in_the_order_of_their_ids(scenario: Scenario) -> None:
    chat = scenario.channel(CHANNEL)
    chat.post(5, "second")
    chat.post(1, "first")
    assert texts(scenario, 9) == ["first", "second"]


def test_a_saved_scenario_shows_the_same_when_loaded(scenario: Scenario, tmp_path: Path) -> None:
    chat = scenario.channel(CHANNEL, name="race-chat")
    chat.post(NOON + timedelta(seconds=1), "a", edits=[(NOON + timedelta(seconds=2), "b")])
    chat.post(at(3), "c", author="Bruno", visible_at=4)
    scenario.save(tmp_path / "scenario.json")
    loaded = Scenario.load(str(tmp_path / "scenario.json"))
    for seconds in (1, 2, 3, 4):
        now = NOON + timedelta(seconds=seconds)
        assert loaded.shown(CHANNEL, now) == scenario.shown(CHANNEL, now)
    assert texts(loaded, 4) == ["b", "c"]


@pytest.mark.parametrize(
    "message",
    [
        {"content": "when?"},
        {"posted_at": 1, "contents": "a typing mistake"},
        {"posted_at": "2026-11-23T12:00:00"},
        {"posted_at": 1, "id": "42"},
        {"posted_at": 1, "edits": [5]},
    ],
)
def test_a_message_that_cannot_be_meant_is_refused(message: dict[str, object]) -> None:
    document = {"starts_at": at(0), "channels": {CHANNEL: {"messages": [message]}}}
    with pytest.raises(Misconfigured, match="A message of channel 200"):
        Scenario.of_document(document).shown(CHANNEL, NOON + timedelta(hours=1))


@pytest.mark.parametrize("document", [{"starts_at": "noon"}, {"channels": []}, {"starts_at": 5}])
def test_a_file_that_cannot_be_meant_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(Misconfigured):
        Scenario.of_document(document)


def test_the_process_follows_the_script_by_its_clock(stand_in: StandIn) -> None:
    stand_in.chat.post(10, "helo", visible_at=12, edits=[(20, "hello")], deleted_at=30)
    seen = [stand_in.export(REPLAY_NOW=at(seconds)).texts for seconds in (11, 12, 20, 30)]
    assert seen == [[], ["helo"], ["hello"], []]

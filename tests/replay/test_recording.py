"""An export file is played around now, again and again."""

import json
from pathlib import Path
from typing import Any

import pytest

from messages_app.replay.instants import instant_of, milliseconds, parse_date
from messages_app.replay.recording import Recording
from messages_app.replay.script import ChannelInfo, ScriptedMessage

from .stand_in import NOON, StandIn, at

NOON_MS = milliseconds(NOON)
# The recorded 40 s, and a pause as long as one message takes on average.
PERIOD_S = 48


@pytest.fixture
def export_file(stand_in: StandIn) -> Path:
    """An export of five messages within 40 s, one of them edited, one a reply, two at once."""
    chat = stand_in.chat
    chat.post(0, "one")
    two = chat.post(10, "to", edits=[(13, "two")])
    chat.post(10, "two, too")
    chat.post(25, "three", kind="Reply", message={"reference": {"messageId": two, "x": 1}})
    chat.post(40, "four", message={"reference": {"messageId": "17"}})
    assert stand_in.export().status == 0
    return stand_in.path.rename(stand_in.folder / "recorded.json")


def played(export_file: Path, channel: str, start_s: int, end_s: int) -> list[ScriptedMessage]:
    """What a channel shows between two instants after noon."""
    recording = Recording(json.loads(export_file.read_text()))
    info: ChannelInfo = recording.channels(channel)[0]
    return list(recording.messages(info, NOON_MS + start_s * 1000, NOON_MS + end_s * 1000))


def test_every_stretch_of_one_period_holds_the_whole_conversation(export_file: Path) -> None:
    for start_s in (0, 17, 100_000):
        messages = played(export_file, "900", start_s, start_s + PERIOD_S)
        texts = {message.document["content"] for message in messages}
        assert texts == {"one", "two", "two, too", "three", "four"}
        assert len(messages) == 5


def test_ids_are_unique_in_order_and_of_their_time(export_file: Path) -> None:
    messages = played(export_file, "900", 0, 500) + played(export_file, "901", 0, 500)
    ids = [message.message_id for message in messages]
    assert len(set(ids)) == len(ids) > 90
    for message in messages:
        assert instant_of(message.message_id) == message.posted_ms
        assert parse_date(message.document["timestamp"]) == (message.posted_ms, True)
    assert ids[: len(ids) // 2] == sorted(ids[: len(ids) // 2])


def test_two_windows_agree_about_a_message(export_file: Path) -> None:
    whole = played(export_file, "900", 0, 300)
    halves = played(export_file, "900", 0, 150) + played(export_file, "900", 150, 300)
    assert whole == halves


def test_a_reply_points_at_the_copy_in_its_own_pass(export_file: Path) -> None:
    messages = {m.message_id: m for m in played(export_file, "900", 0, 2 * PERIOD_S)}
    replies = [m for m in messages.values() if m.document["content"] == "three"]
    assert replies
    for message in replies:
        target = messages.get(int(message.document["reference"]["messageId"]))
        assert target is None or target.document["content"] == "two"
        assert message.document["reference"]["x"] == 1
    assert any(int(m.document["reference"]["messageId"]) in messages for m in replies)


def test_a_reply_to_what_is_not_recorded_keeps_its_target(export_file: Path) -> None:
    others = [m for m in played(export_file, "900", 0, PERIOD_S) if m.document["content"] == "four"]
    assert others[0].document["reference"] == {"messageId": "17"}


def test_an_edited_message_is_edited_again_after_the_same_time(export_file: Path) -> None:
    edited = next(
        m for m in played(export_file, "9", 0, PERIOD_S) if m.document["content"] == "two"
    )
    before, after = edited.at(edited.posted_ms + 2999), edited.at(edited.posted_ms + 3000)
    assert before is not None and before["timestampEdited"] is None
    assert after is not None
    assert parse_date(after["timestampEdited"])[0] == edited.posted_ms + 3000


def exported(stand_in: StandIn, recorded: Path, **environment: str) -> list[dict[str, Any]]:
    """The messages of the last minute before 12:10 when the file is played."""
    words = stand_in.words("--after", at(540), "--before", at(600))
    return stand_in.call(*words, REPLAY_SCENARIO=str(recorded), **environment).messages


def test_the_process_plays_it_around_its_clock(stand_in: StandIn, export_file: Path) -> None:
    messages = exported(stand_in, export_file)
    assert 5 <= len(messages) <= 8
    instants = [parse_date(message["timestamp"])[0] for message in messages]
    assert NOON_MS + 540_000 <= min(instants) <= max(instants) < NOON_MS + 600_000


def test_it_can_be_played_faster(stand_in: StandIn, export_file: Path) -> None:
    assert len(exported(stand_in, export_file, REPLAY_SPEED="10")) > 40


@pytest.mark.parametrize("speed", ["0", "fast"])
def test_a_speed_that_is_no_positive_number_is_refused(
    stand_in: StandIn, export_file: Path, speed: str
) -> None:
    scenario = str(export_file)
    run = stand_in.call(*stand_in.words(), REPLAY_SCENARIO=scenario, REPLAY_SPEED=speed)
    assert run.status == 2
    assert "REPLAY_SPEED" in run.stderr


def test_a_file_that_is_neither_export_nor_scenario_is_refused(stand_in: StandIn) -> None:
    other = stand_in.folder / "other.json"
    other.write_text('{"a": 1}')
    run = stand_in.call(*stand_in.words(), REPLAY_SCENARIO=str(other))
    assert run.status == 2
    assert "neither an export nor a scenario" in run.stderr


def test_an_export_without_messages_is_refused(stand_in: StandIn) -> None:
    empty = stand_in.export().path
    run = stand_in.call(*stand_in.words(), REPLAY_SCENARIO=str(empty))
    assert run.status == 2

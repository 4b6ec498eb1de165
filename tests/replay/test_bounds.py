"""Which messages a window holds."""

import pytest

from messages_app.replay.instants import snowflake_at

from .stand_in import CHANNEL, NOON, StandIn, at

NOON_MS = int(NOON.timestamp() * 1000)


def test_dates_bound_a_half_open_window_to_the_millisecond(stand_in: StandIn) -> None:
    for seconds in (9.999, 10, 19.999, 20):
        stand_in.chat.post(seconds, str(seconds))
    run = stand_in.export("--after", at(10), "--before", at(20))
    assert run.texts == ["10", "19.999"]


def test_a_date_is_floored_to_its_millisecond(stand_in: StandIn) -> None:
    stand_in.chat.post(10, "at ten")
    run = stand_in.export("--after", "2026-11-23T12:00:10.0009999Z")
    assert run.texts == ["at ten"]


def test_message_ids_as_bounds_exclude_both(stand_in: StandIn) -> None:
    first, _, last = (stand_in.chat.post(seconds, str(seconds)) for seconds in (1, 2, 3))
    run = stand_in.export("--after", first, "--before", last)
    assert run.texts == ["2"]


def test_a_message_with_the_very_id_of_a_date_is_excluded(stand_in: StandIn) -> None:
    stand_in.chat.post(10, "no low bits", message_id=snowflake_at(NOON_MS + 10_000))
    stand_in.chat.post(10, "low bits", message_id=snowflake_at(NOON_MS + 10_000, 1))
    assert stand_in.export("--after", at(10)).texts == ["low bits"]


def test_messages_in_the_millisecond_of_the_last_one_slip_past_before(stand_in: StandIn) -> None:
    stand_in.chat.post(5, "last")
    beyond = stand_in.chat.post(5, "same millisecond, beyond the bound")
    assert len(stand_in.export("--before", beyond).texts) == 2


@pytest.mark.parametrize("name", ["--after", "--before"])
def test_an_empty_value_is_no_bound(stand_in: StandIn, name: str) -> None:
    stand_in.chat.post(1, "hello")
    run = stand_in.export(name, "")
    assert run.texts == ["hello"]
    assert run.document["dateRange"] == {"after": None, "before": None}


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:10Z",
        "2026-11-23T12:00:10+00:00",
        "2026-11-23 14:00:10 +02:00",
        "2026-11-23T06:30:10-05:30",
        "11/23/2026 12:00:10 PM Z",
    ],
)
def test_a_date_with_an_offset_is_that_instant_anywhere(stand_in: StandIn, text: str) -> None:
    for seconds in (9, 10):
        stand_in.chat.post(seconds, str(seconds))
    run = stand_in.export("--after", text, TZ="Asia/Tokyo")
    assert run.texts == ["10"]
    assert run.document["dateRange"]["after"] == "2026-11-23T12:00:10+00:00"


def test_a_date_without_an_offset_is_local_time(stand_in: StandIn) -> None:
    run = stand_in.export("--after", "2026-11-23T21:00:10", TZ="Asia/Tokyo")
    assert run.document["dateRange"]["after"] == "2026-11-23T12:00:10+00:00"


def test_a_date_before_2015_gives_nonsense(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "hello")
    run = stand_in.export("--after", "2014-06-01T00:00:00Z")
    assert run.messages == []
    assert run.document["dateRange"]["after"].startswith("21")


def test_the_end_is_the_replay_clock_when_the_export_begins(stand_in: StandIn) -> None:
    stand_in.chat.post(599.999, "just before")
    stand_in.chat.post(600, "now")
    stand_in.chat.post(600.001, "too late")
    assert stand_in.export("--before", at(900)).texts == ["just before", "now"]


def test_a_window_without_messages_that_others_follow_is_empty_without_a_word(
    stand_in: StandIn,
) -> None:
    stand_in.chat.post(300, "later")
    run = stand_in.export("--after", at(10), "--before", at(20))
    assert (run.status, run.messages, run.stderr) == (0, [], "")


def test_a_window_after_the_last_message_is_empty_with_a_warning(stand_in: StandIn) -> None:
    stand_in.chat.post(5, "last")
    run = stand_in.export("--after", at(10))
    assert (run.status, run.messages) == (0, [])
    assert "Warnings reported for the following channel(s):" in run.stderr
    assert "does not contain any messages within the specified period" in run.stderr


def test_each_channel_has_its_own_messages(stand_in: StandIn) -> None:
    stand_in.chat.post(1, "here")
    stand_in.scenario.channel("201").post(1, "there")
    stand_in.play()
    words = ("export", "--channel", CHANNEL, "201", "--format", "Json", "--output")
    run = stand_in.call(*words, f"{stand_in.folder}/%c.json")
    assert run.status == 0
    here = (stand_in.folder / "200.json").read_text()
    there = (stand_in.folder / "201.json").read_text()
    assert '"here"' in here and '"there"' in there and '"there"' not in here

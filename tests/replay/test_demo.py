"""The built-in conversation: always something new, always the same."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from messages_app.replay.demo import Demo
from messages_app.replay.instants import instant_of, milliseconds
from messages_app.replay.script import JsonObject, ScriptedMessage, seen

from .stand_in import NOON, StandIn

NOON_MS = milliseconds(NOON)
DEMO = Demo()
QUARTER_S = 900


def script(channel: str, start_s: float, end_s: float) -> list[ScriptedMessage]:
    """What is posted between two instants after noon."""
    info = DEMO.channels(channel)[0]
    start_ms, end_ms = NOON_MS + int(start_s * 1000), NOON_MS + int(end_s * 1000)
    return list(DEMO.messages(info, start_ms, end_ms))


def shown(channel: str, start_s: float, end_s: float, now_s: float) -> list[JsonObject]:
    """What is seen of it at a third."""
    info = DEMO.channels(channel)[0]
    window = (NOON_MS + int(start_s * 1000), NOON_MS + int(end_s * 1000))
    return [document for _, document in seen(DEMO, info, *window, NOON_MS + int(now_s * 1000))]


@pytest.mark.parametrize("channel", ["1", "1177712345678901234"])
@pytest.mark.parametrize("start_s", [0, 12_345, 10_000_000])
def test_every_fifteen_seconds_bring_something_new(channel: str, start_s: int) -> None:
    assert all(script(channel, start_s + s, start_s + s + 15) for s in range(0, 300, 5))


def test_every_half_minute_has_an_edit_and_a_deletion() -> None:
    messages = script("1", -60, QUARTER_S)
    edits = [c.at_ms for m in messages for c in m.changes if "timestampEdited" in c.keys]
    deletions = [m.deleted_ms for m in messages if m.deleted_ms]
    for instants in (edits, deletions):
        pauses = [later - earlier for earlier, later in pairwise(instants)]
        assert max(pauses) < 26_000


def test_everything_that_a_store_must_bear_comes_within_a_quarter_of_an_hour() -> None:
    messages = shown("1", 0, QUARTER_S, QUARTER_S)
    kinds = {message["type"] for message in messages}
    assert {"Default", "Reply", "8", "46", "GuildMemberJoin", "ChannelPinnedMessage"} <= kinds
    for key in ("attachments", "embeds", "stickers", "reactions", "mentions", "inlineEmojis"):
        assert any(message[key] for message in messages), key
    empty = [message for message in messages if message["content"] == ""]
    assert len(messages) / 4 < len(empty) < len(messages) / 2
    assert len({message["author"]["id"] for message in messages}) >= 8


def test_ids_are_unique_over_channels_in_order_and_of_their_time() -> None:
    ids: list[int] = []
    for channel in ("1", "2", "3"):
        messages = script(channel, 0, QUARTER_S)
        assert all(instant_of(m.message_id) == m.posted_ms for m in messages)
        own = [m.message_id for m in messages]
        assert own == sorted(own)
        ids += own
    assert len(set(ids)) == len(ids)


def test_a_reply_points_at_an_earlier_message_of_the_channel() -> None:
    messages = shown("1", 0, QUARTER_S, QUARTER_S)
    earlier = {m["id"]: m for m in shown("1", -60, QUARTER_S, QUARTER_S)}
    replies = [m for m in messages if m["type"] == "Reply"]
    assert len(replies) > 20
    assert all(int(m["reference"]["messageId"]) < int(m["id"]) for m in replies)
    assert all(m["reference"]["messageId"] in earlier for m in replies)


def test_windows_agree_wherever_they_are_cut() -> None:
    halves = script("1", 0, 77.7) + script("1", 77.7, 200)
    assert halves == script("1", 0, 200)


def test_deleted_messages_are_seen_first_and_gone_later() -> None:
    deleted = [m for m in script("1", 0, QUARTER_S) if m.deleted_ms]
    assert deleted
    for message in deleted:
        assert message.deleted_ms is not None
        assert message.at(message.deleted_ms - 1) is not None
        assert message.at(message.deleted_ms) is None


def test_a_person_who_polls_by_the_real_clock_sees_messages(stand_in: StandIn) -> None:
    del stand_in.environment["REPLAY_NOW"]
    a_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    run = stand_in.call(*stand_in.words("--after", a_minute_ago.isoformat()))
    assert run.status == 0
    assert run.messages
    assert int(run.ids[0]) < int(run.ids[-1])


def test_an_unbounded_export_is_a_day_long(stand_in: StandIn) -> None:
    run = stand_in.call(*stand_in.words())
    first = NOON + timedelta(milliseconds=instant_of(int(run.ids[0])) - NOON_MS)
    assert timedelta(hours=24) - timedelta(seconds=670) < NOON - first + timedelta(0)
    assert NOON - first < timedelta(hours=24)

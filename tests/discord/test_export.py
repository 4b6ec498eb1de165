"""One window of one channel, asked of a Discord that is as unkind as the real one."""

from __future__ import annotations

import pytest

from messages_app.errors import (
    DiscordUnreachable,
    ExporterFailed,
    IntentMissing,
    RateLimited,
    TimeLimitReached,
    TokenRefused,
    WrongChannel,
)
from messages_app.replay.discord import access
from messages_app.replay.discord.limits import Limits
from messages_app.replay.discord.server import DiscordServer
from messages_app.replay.discord.world import Change
from messages_app.replay.scenario import Scenario
from messages_app.replay.shapes import emoji, reaction
from tests.discord.asking import Asking, at


def test_a_window_is_exported_whole_and_proved(scenario: Scenario, asking: Asking) -> None:
    chat = scenario.channel("201")
    chat.post(-1, "before")
    chat.post(0, "first")
    chat.post(59.999, "last")
    done = asking.export(end_s=60)
    assert done.failure is None
    assert done.contents == ["first", "last"]
    assert done.document["guild"]["name"] == "Harbour Ride"
    assert done.document["channel"]["category"] == "Live"
    assert done.proof.until == at(60)
    assert done.proof.is_readable


def test_a_quiet_window_costs_one_call_for_all_channels(scenario: Scenario, asking: Asking) -> None:
    for channel_id in ("201", "202", "203"):
        scenario.channel(channel_id).post(-100, "long ago")
        asking.names.guild_of[channel_id] = "100"
    asking.export("201")
    asking.new_run()
    asking.calls()
    done = [asking.export(channel_id) for channel_id in ("201", "202", "203")]
    assert [each.messages for each in done] == [[], [], []]
    assert all(each.proof.until == at(60) for each in done)
    assert asking.calls() == ["/guilds/100/channels"]


def test_a_busy_window_costs_one_call_for_a_hundred_messages_once_names_are_known(
    scenario: Scenario, asking: Asking
) -> None:
    asking.names.guild_of["201"] = "100"
    for number in range(200):
        message = {"reactions": [reaction(emoji("🔥"), ["Ana", "Bo"])]} if number % 2 else None
        scenario.channel("201").post(
            number / 4, f"n{number}", author=f"Fan {number % 40}", message=message
        )
    asking.export()
    asking.new_run()
    asking.calls()
    done = asking.export()
    assert len(done.messages) == 200
    assert done.messages[1]["reactions"][0]["count"] == 2
    assert done.messages[1]["reactions"][0]["users"] == []
    assert len(asking.calls()) == 3


def test_who_reacted_is_asked_for_on_request(scenario: Scenario, asking: Asking) -> None:
    names = [f"Fan {number}" for number in range(130)]
    scenario.channel("201").post(1, "hi", message={"reactions": [reaction(emoji("🔥"), names)]})
    [message] = asking.export(reaction_users=True).messages
    assert len(message["reactions"][0]["users"]) == 130


def test_an_empty_list_of_a_channel_that_may_be_read_proves_emptiness(
    scenario: Scenario, asking: Asking
) -> None:
    message_id = scenario.channel("201").post(5, "gone", deleted_at=10)
    done = asking.export(expected=[int(message_id)])
    assert done.failure is None
    assert done.messages == []
    assert done.proof.is_readable


@pytest.mark.parametrize("channel", ["", "201"])
def test_without_read_message_history_an_empty_list_proves_nothing(
    scenario: Scenario, discord: DiscordServer, asking: Asking, channel: str
) -> None:
    scenario.channel("201").post(5, "unseen")
    discord.world.change(deny=access.HISTORY, channel=channel)
    done = asking.export()
    assert str(done.failure) == (
        "The bot may not read the channel: give it the permission Read Message History there."
    )
    assert done.proof.until is None


def test_a_permission_that_is_lost_between_two_pages_proves_nothing(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    ids = [int(scenario.channel("201").post(n / 4, f"n{n}")) for n in range(150)]
    asking.export()
    asking.new_run()
    discord.world.faults.on_call = lambda path: (
        discord.world.change(deny=access.HISTORY) if f"after={ids[99]}" in path else None
    )
    done = asking.export(expected=ids)
    assert isinstance(done.failure, ExporterFailed)
    assert len(done.messages) == 100
    assert done.proof.until is None


def test_a_channel_that_is_known_as_forbidden_is_not_asked_in_vain(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    scenario.channel("201").post(5, "unseen")
    discord.world.change(deny=access.VIEW, end_ms=discord.world.now_ms + 1)
    asking.names.guild_of["201"] = "100"
    assert asking.export().failure is not None
    asking.new_run()
    asking.calls()
    assert "View Channel" in str(asking.export().failure)
    assert not [path for path in asking.calls() if "messages" in path]
    discord.world.changes.clear()
    asking.new_run()
    assert asking.export().contents == ["unseen"]


def test_blank_messages_are_left_out_while_the_intent_is_missing(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    scenario.channel("201").post(5, "words")
    scenario.channel("201").post(6, "", kind="GuildMemberJoin")
    scenario.channel("201").post(7, "more words")
    discord.world.change(no_intent=True)
    done = asking.export()
    assert isinstance(done.failure, IntentMissing)
    assert "Message Content intent" in str(done.failure)
    assert done.contents == ["Joined the server."]
    assert done.proof.until == at(5)


def test_a_blank_message_is_written_where_the_intent_is_there(
    scenario: Scenario, asking: Asking
) -> None:
    scenario.channel("201").post(5, "")
    done = asking.export()
    assert done.failure is None
    assert done.contents == [""]


@pytest.mark.parametrize(
    ("kind", "words"), [(4, "is a category"), (15, "is a forum"), (16, "is a media channel")]
)
def test_a_channel_without_messages_of_its_own_is_told(
    discord: DiscordServer, asking: Asking, kind: int, words: str
) -> None:
    discord.world.types["201"] = kind
    done = asking.export()
    assert isinstance(done.failure, WrongChannel)
    assert words in str(done.failure)


def test_a_thread_is_read_with_the_permissions_of_its_channel(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    discord.world.parents["202"] = "201"
    scenario.channel("202", name="lap one").post(5, "in the thread")
    asking.names.guild_of["202"] = "100"
    done = asking.export("202")
    assert done.contents == ["in the thread"]
    assert done.document["channel"]["type"] == "GuildPublicThread"
    assert done.document["channel"]["categoryId"] == "201"
    discord.world.change(deny=access.HISTORY, channel="201")
    assert "Read Message History" in str(asking.export("202").failure)


def test_an_unknown_channel_is_told(asking: Asking) -> None:
    assert "knows no such channel" in str(asking.export("777").failure)


def test_a_refused_token_stops_everything_at_once(discord: DiscordServer, asking: Asking) -> None:
    discord.world.change(bad_token=True)
    assert isinstance(asking.export().failure, TokenRefused)
    assert isinstance(asking.export("202").failure, TokenRefused)
    assert len(asking.calls()) == 1
    assert asking.client.invalid == 1


@pytest.mark.parametrize(
    "fault", ["500", "502-html", "half", "cut", "reset", "close", "login", "odd", "huge"]
)
def test_an_answer_that_is_none_is_a_failure_with_a_reason(
    scenario: Scenario, discord: DiscordServer, asking: Asking, fault: str
) -> None:
    scenario.channel("201").post(5, "words")
    discord.world.faults.add(fault, "messages")
    done = asking.export()
    kind = ExporterFailed if fault == "odd" else DiscordUnreachable
    assert isinstance(done.failure, kind)
    assert done.failure.status == 69
    assert done.messages == []
    assert done.proof.until is None


@pytest.mark.parametrize("fault", ["500", "502-html", "cut", "reset", "close", "429-user:0.01"])
def test_a_single_fault_is_overcome(
    scenario: Scenario, discord: DiscordServer, asking: Asking, fault: str
) -> None:
    scenario.channel("201").post(5, "words")
    discord.world.faults.add(fault, "messages", times=1)
    done = asking.export()
    assert done.failure is None
    assert done.contents == ["words"]


def test_a_limit_that_lasts_longer_than_the_export_may_is_told_with_its_length(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    scenario.channel("201").post(5, "words")
    discord.world.faults.add("429-user:400", "messages")
    done = asking.export()
    assert isinstance(done.failure, RateLimited)
    assert done.failure.wait_s == 400
    assert len([path for path in asking.calls() if "messages" in path]) == 1


def test_a_ban_is_waited_out_by_everything(discord: DiscordServer, asking: Asking) -> None:
    discord.world.faults.add("ban:3600", times=1)
    first, second = asking.export(), asking.export("202")
    assert isinstance(first.failure, RateLimited)
    assert isinstance(second.failure, RateLimited)
    assert len(asking.calls()) == 1


def test_a_hanging_answer_ends_with_the_time_limit(
    scenario: Scenario, discord: DiscordServer, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messages_app.discord.transport.READ_TIMEOUT_S", 0.2)
    scenario.channel("201").post(5, "words")
    discord.world.faults.add("hang", "messages")
    done = asking.export(patience_s=0.3)
    assert isinstance(done.failure, TimeLimitReached)


def test_what_was_read_before_a_failure_is_proved(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    ids = [int(scenario.channel("201").post(n / 4, f"n{n}")) for n in range(150)]
    discord.world.faults.add("500", f"after={ids[99]}")
    done = asking.export()
    assert isinstance(done.failure, DiscordUnreachable)
    assert len(done.messages) == 100
    assert done.proof.until == at(99 / 4)


def test_a_permission_that_is_lost_behind_the_first_page_proves_no_more_than_that(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    for number in range(150):
        scenario.channel("201").post(number / 4, f"n{number}")

    def lose(path: str) -> None:
        if "/messages?" in path and "after=" in path and "first" not in asked:
            asked.append("first")
        elif "/messages?" in path:
            discord.world.changes.append(Change(channel="201", deny=access.HISTORY))

    asked: list[str] = []
    discord.world.faults.on_call = lose
    done = asking.export()
    assert len(done.messages) == 100
    assert "Read Message History" in str(done.failure)
    assert done.proof.until is None


def test_limits_are_kept_without_a_single_429(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    discord.world.limits = Limits(of_messages=5, period_s=0.2)
    for number in range(1200):
        scenario.channel("201").post(number / 100, f"n{number}")
    done = asking.export()
    assert len(done.messages) == 1200
    assert asking.client.invalid == 0


def test_a_message_of_unknown_form_costs_its_neighbours_nothing(
    scenario: Scenario, asking: Asking
) -> None:
    chat = scenario.channel("201")
    chat.post(1, "one")
    chat.post(2, "two", message={"api": {"type": 99, "novelty": {"depth": 3}}})
    chat.post(3, "three", message={"api": {"attachments": "not a list", "author": None}})
    chat.post(
        4, "four", message={"api": {"sticker_items": [{"id": "5", "name": "x", "format_type": 9}]}}
    )
    done = asking.export()
    assert done.failure is None
    assert done.contents == ["one", "two", "three", "four"]
    assert done.messages[1]["type"] == "99"
    assert done.messages[1]["discord"]["novelty"] == {"depth": 3}
    assert done.messages[2]["discord"]["attachments"] == "not a list"
    assert done.messages[3]["stickers"][0]["format"] == "9"


def test_discords_own_time_bounds_what_is_proved(
    scenario: Scenario, discord: DiscordServer, asking: Asking
) -> None:
    scenario.channel("201").post(5, "words")
    discord.world.clock_error_s = -30
    assert asking.export().proof.until == at(30)
    assert asking.export("202").proof.until == at(30)


def test_the_closing_sweep_asks_even_where_nothing_seems_new(
    scenario: Scenario, asking: Asking
) -> None:
    scenario.channel("201").post(-10, "old")
    asking.export()
    asking.calls()
    done = asking.export(must_ask=True)
    assert done.messages == []
    assert done.proof.is_readable
    assert [path for path in asking.calls() if "messages" in path]


def test_the_agent_is_in_the_form_that_discord_asks_for(
    discord: DiscordServer, asking: Asking
) -> None:
    asking.export()
    assert {call.agent.partition(" ")[0] for call in discord.calls} == {"DiscordBot"}
    assert all(call.status == 200 for call in discord.calls)

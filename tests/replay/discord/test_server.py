"""The Discord of our own is as unkind as the real one; asked with nothing of the product."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from messages_app.replay.demo import Demo
from messages_app.replay.discord import access
from messages_app.replay.discord.limits import Limits
from messages_app.replay.discord.server import DiscordServer
from messages_app.replay.discord.world import BOT_ID, TOKEN, World
from messages_app.replay.instants import snowflake_at
from messages_app.replay.scenario import Scenario

START = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)


@pytest.fixture
def scenario() -> Scenario:
    scenario = Scenario(START)
    scenario.channel("201")
    return scenario


@pytest.fixture
def server(scenario: Scenario) -> Iterator[DiscordServer]:
    world = World(scenario, ["201"], lambda: START_MS + 60_000)
    with DiscordServer(world) as server:
        yield server


def ask(server: DiscordServer, path: str, **headers: str) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    told = {"Authorization": f"Bot {TOKEN}", "User-Agent": "DiscordBot (https://x.example, 1)"}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", f"/api/v10{path}", headers=told)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    is_json = response.headers["Content-Type"] == "application/json"
    names = {name.lower(): value for name, value in response.getheaders()}
    return response.status, names, json.loads(body) if is_json else body.decode()


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [message["content"] for message in messages]


def test_messages_are_listed_newest_first_and_the_oldest_hundred_after_an_id(
    scenario: Scenario, server: DiscordServer
) -> None:
    for number in range(150):
        scenario.channel("201").post(number / 10, f"n{number}")
    _, _, page = ask(server, f"/channels/201/messages?limit=100&after={snowflake_at(START_MS) - 1}")
    assert ids(page) == [f"n{number}" for number in range(99, -1, -1)]
    _, _, page = ask(server, "/channels/201/messages")
    assert ids(page) == [f"n{number}" for number in range(149, 99, -1)]
    _, _, page = ask(server, f"/channels/201/messages?limit=1&before={page[0]['id']}")
    assert ids(page) == ["n148"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "after=1&before=2", "after=x"])
def test_a_query_that_discord_does_not_take_is_refused(server: DiscordServer, query: str) -> None:
    assert ask(server, f"/channels/201/messages?{query}")[0] == 400


def test_the_newest_id_stays_that_of_a_deleted_message(
    scenario: Scenario, server: DiscordServer
) -> None:
    scenario.channel("201").post(1, "kept")
    deleted = scenario.channel("201").post(2, "gone", deleted_at=3)
    _, _, [_category, channel] = ask(server, "/guilds/100/channels")
    assert channel["last_message_id"] == deleted
    assert ids(ask(server, "/channels/201/messages")[2]) == ["kept"]


def test_a_message_that_is_not_visible_yet_is_no_news(
    scenario: Scenario, server: DiscordServer
) -> None:
    scenario.channel("201").post(59, "late", visible_at=61)
    assert ask(server, "/channels/201")[2]["last_message_id"] is None
    assert ask(server, "/channels/201/messages")[2] == []


def test_without_the_history_the_list_is_empty_and_without_the_view_forbidden(
    scenario: Scenario, server: DiscordServer
) -> None:
    scenario.channel("201").post(1, "there")
    server.world.change(deny=access.HISTORY, channel="201")
    assert ask(server, "/channels/201/messages")[::2] == (200, [])
    server.world.changes.clear()
    server.world.change(deny=access.VIEW)
    assert ask(server, "/channels/201/messages")[0] == 403


def test_without_the_intent_contents_are_blank_but_for_mentions_of_the_bot(
    scenario: Scenario, server: DiscordServer
) -> None:
    bot = {"id": BOT_ID, "username": "poller"}
    scenario.channel("201").post(1, "unseen", message={"api": {"poll": {}}})
    scenario.channel("201").post(2, "to you", message={"api": {"mentions": [bot]}})
    server.world.change(no_intent=True)
    _, _, page = ask(server, "/channels/201/messages")
    assert ids(page) == ["to you", ""]
    assert "poll" not in page[1]
    assert ask(server, "/applications/@me")[2]["flags"] == 0


def test_a_bucket_that_is_used_up_refuses(server: DiscordServer) -> None:
    server.world.limits = Limits(of_messages=2, period_s=60)
    told = [ask(server, "/channels/201/messages") for _ in range(3)]
    assert [status for status, _, _ in told] == [200, 200, 429]
    assert [headers["x-ratelimit-remaining"] for _, headers, _ in told] == ["1", "0", "0"]
    assert told[2][2]["retry_after"] > 50
    assert told[2][1]["x-ratelimit-scope"] == "user"
    assert ask(server, "/guilds/100/channels")[0] == 200


def test_fifty_calls_a_second_are_the_most_in_all() -> None:
    limits = Limits(of_others=1000)
    told = [limits.take("users", "@me") for _ in range(51)]
    assert [verdict.is_global for verdict in told] == [False] * 50 + [True]
    assert told[50].retry_after_s > 0


def test_an_agent_of_another_form_meets_the_protection(server: DiscordServer) -> None:
    status, _, body = ask(server, "/users/@me", User_Agent="python")
    assert (status, body[:15]) == (403, "<!DOCTYPE html>")


def test_a_wrong_token_is_refused(server: DiscordServer) -> None:
    assert ask(server, "/users/@me", Authorization=TOKEN)[0] == 401


def test_the_date_is_that_of_its_own_clock(server: DiscordServer) -> None:
    server.world.clock_error_s = -10
    assert ask(server, "/users/@me")[1]["date"] == "Fri, 01 May 2026 18:00:50 GMT"


def test_the_endless_demo_is_served_at_once() -> None:
    with DiscordServer(World(Demo(), ["201"])) as server:
        _, _, page = ask(server, "/channels/201/messages?limit=10")
        assert len(page) == 10
        assert page[0]["id"] <= ask(server, "/channels/201")[2]["last_message_id"]

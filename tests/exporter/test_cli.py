"""The built-in exporter as a command of its own, with DiscordChatExporter's command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from messages_app.exporter.cli import main
from messages_app.exporter.command import export_arguments
from messages_app.replay.discord.server import DiscordServer
from messages_app.replay.discord.world import TOKEN, World
from messages_app.replay.scenario import Scenario
from messages_app.windows import Window

START = datetime(2026, 5, 1, 18, tzinfo=UTC)


@pytest.fixture
def scenario() -> Scenario:
    return Scenario(START)


@pytest.fixture(autouse=True)
def discord(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> Iterator[DiscordServer]:
    """Channels 201 and 202 with a message every ten seconds, for a minute."""
    for channel_id in ("201", "202"):
        channel = scenario.channel(channel_id)
        for second in range(0, 60, 10):
            channel.post(second, f"at {second}")
    now_ms = round((START.timestamp() + 60) * 1000)
    world = World(scenario, ["201", "202"], lambda: now_ms)
    with DiscordServer(world) as server:
        monkeypatch.setenv("POLLER_DISCORD_API", server.url)
        monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
        yield server


def contents(path: Path) -> list[str]:
    document: dict[str, Any] = json.loads(path.read_text())
    return [message["content"] for message in document["messages"]]


def test_it_is_called_as_the_poll_calls_an_exporter(tmp_path: Path) -> None:
    folder = tmp_path / "100%c"
    window = Window(START + timedelta(seconds=10), START + timedelta(seconds=30))

    assert main(export_arguments(201, window, folder / "out.json")) == 0

    assert contents(folder / "out.json") == ["at 10", "at 20"]


def test_ids_of_messages_bound_a_range_and_are_not_in_it(tmp_path: Path) -> None:
    main(["export", "-c", "201", "-o", str(tmp_path)])
    ids = [each["id"] for each in json.loads((tmp_path / "201.json").read_text())["messages"]]

    main(["export", "-c", "201", "--after", ids[1], "--before", ids[4], "-o", str(tmp_path)])

    assert contents(tmp_path / "201.json") == ["at 20", "at 30"]


def test_a_date_without_an_offset_is_local_time(tmp_path: Path) -> None:
    local = (START + timedelta(seconds=40)).astimezone().replace(tzinfo=None)

    main(["export", "-c", "201", "--after", local.isoformat(), "-o", f"{tmp_path}/%c.json"])

    assert contents(tmp_path / "201.json") == ["at 40", "at 50"]


def test_several_channels_go_into_a_folder(tmp_path: Path) -> None:
    assert main(["export", "-c", "201", "202", "-o", f"{tmp_path}/new"]) == 0

    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == ["201.json", "202.json"]


def test_a_channel_that_fails_is_told_and_the_others_are_exported(
    tmp_path: Path, discord: DiscordServer, capsys: pytest.CaptureFixture[str]
) -> None:
    discord.world.change(channel="201", deny=1 << 16)

    assert main(["export", "-c", "201", "202", "-o", str(tmp_path)]) == 69

    told = capsys.readouterr().err
    assert "201: The bot may not read the channel" in told
    assert "Read Message History" in told
    assert len(contents(tmp_path / "202.json")) == 6


def test_a_refused_token_is_tried_once(
    tmp_path: Path,
    discord: DiscordServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "a.persons.token")

    assert main(["export", "-c", "201", "202", "-o", str(tmp_path)]) == 77

    told = capsys.readouterr().err
    assert "DiscordChatExporter takes one" in told
    assert "a.persons.token" not in told
    assert len(discord.calls) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--format", "HtmlDark"], "writes JSON only"),
        (["--markdown", "true"], "as typed"),
        (["--after", "yesterday"], "neither a time nor an id"),
        (["-c", "race-chat"], "is not a Discord id"),
        (["-c", "202", "-o", "one.json"], "several files"),
        (["-o", "%g.json"], "knows %c"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(
    words: list[str], sentence: str, discord: DiscordServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "-c", "201", *words]) == 2

    assert sentence in capsys.readouterr().err
    assert discord.calls == []

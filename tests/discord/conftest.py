"""A Discord on this machine for these tests, over TLS with a certificate made for the run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from messages_app.replay.discord.server import DiscordServer
from messages_app.replay.discord.world import World
from messages_app.replay.scenario import Scenario
from tests.discord.asking import START, Asking


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate for this machine's own address, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    files = str(folder / "certificate.pem"), str(folder / "key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-noenc", "-days", "2", "-subj", "/CN=discord for tests"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-out", files[0], "-keyout", files[1]),
        ],
        check=True,
        capture_output=True,
    )
    return files


@pytest.fixture
def scenario() -> Scenario:
    return Scenario(START)


@pytest.fixture
def discord(scenario: Scenario, certificate: tuple[str, str]) -> Iterator[DiscordServer]:
    """Channels 201 to 203 of a guild, a minute after the scenario's start; no limits."""
    now = datetime.fromtimestamp(START.timestamp() + 60, UTC)
    for channel_id in ("201", "202", "203"):
        scenario.channel(channel_id)
    world = World(scenario, ["201", "202", "203"], lambda: int(now.timestamp() * 1000))
    world.limits.is_on = False
    with DiscordServer(world, certificate=certificate) as server:
        yield server


@pytest.fixture
def asking(
    discord: DiscordServer,
    certificate: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Asking]:
    """The built-in exporter, as it talks to that Discord."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    monkeypatch.setattr("messages_app.discord.client.FIRST_PAUSE_S", 0.01)
    with Asking(discord, tmp_path) as asking:
        yield asking

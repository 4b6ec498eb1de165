"""A simulated session that the built-in exporter polls from a Discord of its own on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from messages_app.events import RunOutcome
from messages_app.replay.discord.server import DiscordServer
from messages_app.replay.discord.world import TOKEN, World
from messages_app.snowflakes import first_id
from tests.simulation import START, Simulation, at


class PlayedDiscord(Simulation):
    """`discord.world` is what a test changes; it stands still while a run asks it."""

    discord: DiscordServer
    now_s = 0.0

    def tick(self, true_s: float, **settings: str) -> RunOutcome:
        self.now_s = true_s
        builtin = {
            "POLLER_EXPORTER": "builtin",
            "POLLER_DISCORD_API": self.discord.url,
            "POLLER_CALLS_PER_SECOND": "45",
            "DISCORD_TOKEN": TOKEN,
        }
        return super().tick(true_s, **builtin | settings)

    def asked(self) -> list[str]:
        """The paths of the calls since this was asked last."""
        paths = self.discord.paths()
        self.discord.calls.clear()
        return paths


@contextmanager
def played_discord(
    folder: Path,
    environ: dict[str, str],
    length_s: float,
    channel_ids: tuple[int, ...] = (201, 202),
) -> Iterator[PlayedDiscord]:
    """A session of `length_s` seconds, and the Discord that shows its channels; no limits."""
    simulation = PlayedDiscord(folder, environ, length_s, channel_ids)
    for channel_id in channel_ids:
        simulation.channel(channel_id)

    def now_ms() -> int:
        return round((START.timestamp() + simulation.now_s) * 1000)

    world = World(simulation.scenario, [str(each) for each in channel_ids], now_ms)
    world.limits.is_on = False
    with DiscordServer(world) as simulation.discord:
        yield simulation


def id_at(seconds: float) -> int:
    """The lowest id of a message of this time."""
    return first_id(at(seconds))

"""The built-in exporter as the tests ask it."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from messages_app.discord.client import Client, Patience
from messages_app.discord.export import ChannelExport, Proof, Range, Wanted
from messages_app.discord.guilds import Knowledge
from messages_app.discord.names import Names
from messages_app.discord.transport import parse_address
from messages_app.errors import PollerError
from messages_app.replay.discord.server import DiscordServer
from messages_app.replay.discord.world import TOKEN
from messages_app.snowflakes import first_id

START = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """The instant so many seconds after the start."""
    return START + timedelta(seconds=seconds)


class Exported:
    """What one export came to."""

    def __init__(self, failure: PollerError | None, proof: Proof, output: Path) -> None:
        self.failure = failure
        self.proof = proof
        self.is_written = output.exists()
        self.document: dict[str, Any] = json.loads(output.read_text()) if self.is_written else {}

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.document["messages"]
        assert self.document["messageCount"] == len(messages)
        return messages

    @property
    def contents(self) -> list[str]:
        return [message["content"] for message in self.messages]


class Asking:
    """One run after the other; the names are kept over runs, as the database keeps them."""

    def __init__(self, discord: DiscordServer, folder: Path) -> None:
        self.discord = discord
        self.names = Names()
        self.token = TOKEN
        self.environ: dict[str, str] = {}
        self._folder = folder
        self._count = 0
        self._begin(1000.0)

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.client.close()

    def new_run(self, *, calls_per_s: float = 1000.0) -> None:
        """What only one run knows is forgotten."""
        self.client.close()
        self._begin(calls_per_s)

    def _begin(self, calls_per_s: float) -> None:
        address = parse_address(self.discord.url)
        self.client = Client(self.token, address, self.environ, calls_per_s)
        self.knowledge = Knowledge(self.client, self.names, self.clock)

    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.discord.world.now_ms / 1000, UTC)

    def export(
        self,
        channel_id: str = "201",
        start_s: float = 0,
        end_s: float = 60,
        *,
        expected: Collection[int] = (),
        must_ask: bool = False,
        reaction_users: bool = False,
        patience_s: float = 20,
    ) -> Exported:
        """Export a window, in seconds after the start."""
        self._count += 1
        output = self._folder / f"{self._count}.json"
        wanted = Wanted(
            channel_id,
            Range(first_id(at(start_s)) - 1, first_id(at(end_s))),
            str(output),
            expected,
            must_ask=must_ask,
            reaction_users=reaction_users,
        )
        patience = Patience(patience_s)
        export = ChannelExport(self.client, self.knowledge, wanted, patience, self.clock)
        failure = export.run()
        return Exported(failure, export.proof, output)

    def calls(self) -> list[str]:
        """The paths of the calls since this was asked last."""
        paths = self.discord.paths()
        self.discord.calls.clear()
        return paths

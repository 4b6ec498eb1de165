"""Runs the stand-in exporter as the real process that it is."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from messages_app.replay.scenario import Scenario

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CHANNEL = "200"


def at(seconds: float) -> str:
    """An instant so many seconds after noon, as an option takes it."""
    return (NOON + timedelta(seconds=seconds)).isoformat()


class Run(NamedTuple):
    """What came of one call."""

    status: int
    stdout: str
    stderr: str
    path: Path

    @property
    def document(self) -> dict[str, Any]:
        """The document that was written."""
        document: dict[str, Any] = json.loads(self.path.read_bytes())
        return document

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages in it."""
        messages: list[dict[str, Any]] = self.document["messages"]
        return messages

    @property
    def texts(self) -> list[str]:
        """Their contents."""
        return [message["content"] for message in self.messages]

    @property
    def ids(self) -> list[str]:
        """Their ids."""
        return [message["id"] for message in self.messages]


class StandIn:
    """The stand-in with a folder of its own; `environment` is what each call is given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "export.json"
        self.scenario = Scenario(NOON)
        self.chat = self.scenario.channel(CHANNEL, name="race-chat")
        self.environment = {
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            "DISCORD_TOKEN": "a-token",
            "FUCK_RUSSIA": "1",
            "REPLAY_NOW": at(600),
        }

    def play(self) -> None:
        """Let the following calls play the scenario as it is now."""
        self.scenario.save(self.folder / "scenario.json")
        self.environment["REPLAY_SCENARIO"] = str(self.folder / "scenario.json")

    def argv(self, *words: str) -> list[str]:
        """The command line of a call with just these words."""
        return [sys.executable, "-m", "messages_app.replay", *words]

    def call(self, *words: str, **environment: str) -> Run:
        """Call with just these words; keywords add to the environment."""
        done = subprocess.run(
            self.argv(*words),
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=30,
        )
        return Run(done.returncode, done.stdout, done.stderr, self.path)

    def words(self, *more: str) -> list[str]:
        """The words of an ordinary export, and more."""
        return [
            *("export", "--channel", CHANNEL, "--format", "Json", "--output", str(self.path)),
            *("--utc", "--markdown", "false"),
            *more,
        ]

    def export(self, *more: str, **environment: str) -> Run:
        """An ordinary export of the scenario's channel to `path`, with more options."""
        self.play()
        return self.call(*self.words(*more), **environment)

"""A simulated session: real exporter processes and a real database under a clock of its own."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from messages_app.database.clock import Clocks
from messages_app.environment import Settings
from messages_app.events import Event, RunOutcome
from messages_app.models import Feed, Message, Session
from messages_app.polling.poll import poll_recent
from messages_app.replay.scenario import ChannelScript, Scenario
from messages_app.scheduling import add_session
from messages_app.windows import VISIBLE_AFTER, Window

START = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
FOREVER = datetime(2027, 1, 1, tzinfo=UTC)


def covered_at(seconds: float) -> datetime:
    """Up to when what is polled at this time counts."""
    return at(seconds) - VISIBLE_AFTER


def at(seconds: float) -> datetime:
    """The instant so many seconds after the start of the session."""
    return START + timedelta(seconds=seconds)


@dataclass
class Simulation:
    """A session of `length_s` seconds whose channels play `scenario`."""

    folder: Path
    environ: dict[str, str]
    length_s: float
    channel_ids: tuple[int, ...] = (201, 202)
    scenario: Scenario = field(default_factory=lambda: Scenario(START))
    faults: list[dict[str, str]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    # How far the poller's clock is ahead of Discord's, in seconds, at a true time.
    clock_error_s: Callable[[float], float] = lambda _true_s: 0.0
    # Whether the database's server tells the run the true time, too.
    is_true_time_known: bool = False
    # What others do when a run looks at the clock for the n-th time, from 0.
    meanwhile: Callable[[int], None] = lambda _n: None

    def channel(self, channel_id: int) -> ChannelScript:
        return self.scenario.channel(str(channel_id))

    def schedule(self, **options: Any) -> Session:
        """Write the scenario, and schedule the session."""
        self.folder.mkdir(exist_ok=True)
        self.scenario.save(self.folder / "scenario.json")
        (self.folder / "faults.json").write_text(json.dumps(self.faults))
        return add_session(
            "Simulated", Window(START, at(self.length_s)), self.channel_ids, **options
        )

    def fault(self, start_s: float, end_s: float, fault: str, **keys: str) -> None:
        """Let the exporter fail in this way for a while."""
        self.faults.append(
            {"from": at(start_s).isoformat(), "to": at(end_s).isoformat(), "fault": fault, **keys}
        )

    def tick(self, true_s: float, **settings: str) -> RunOutcome:
        """One run of `poll_recent_messages` at this time."""
        environ = self.environ | {
            "REPLAY_SCENARIO": str(self.folder / "scenario.json"),
            "REPLAY_FAULT": f"@{self.folder / 'faults.json'}",
            "REPLAY_LOG": str(self.folder / "calls.log"),
            "REPLAY_NOW": at(true_s).isoformat(),
            **settings,
        }
        now = self.poller_clock(true_s)
        ahead = at(true_s) - now if self.is_true_time_known else timedelta(0)
        looks = itertools.count()

        def host() -> datetime:
            self.meanwhile(next(looks))
            return now

        return poll_recent(Settings(environ), environ, Clocks(host, ahead), self.events.append)

    def poller_clock(self, true_s: float) -> datetime:
        """What the poller takes this time for."""
        return at(true_s + self.clock_error_s(true_s))

    def calls(self) -> list[dict[str, Any]]:
        """What the exporter was asked, call by call."""
        log = self.folder / "calls.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def asked_windows(self) -> list[Window]:
        """What was asked for, but for probes, whose messages are only looked at."""
        return [
            Window(
                *(
                    datetime.fromisoformat(call["argv"][call["argv"].index(option) + 1])
                    for option in ("--after", "--before")
                )
            )
            for call in self.calls()
            if "/probe-" not in call["argv"][call["argv"].index("--output") + 1]
        ]

    def truth(self) -> dict[int, str]:
        """What Discord shows of the session in the end: text by message id."""
        span = Window(START, at(self.length_s))
        return {
            int(message["id"]): message["content"]
            for channel_id in self.channel_ids
            for message in self.scenario.shown(str(channel_id), FOREVER)
            if datetime.fromisoformat(message["timestamp"]) in span
        }

    def assert_equal_to_discord(self) -> None:
        """Zero missing, zero stale, zero deleted shown as live, none from outside the session."""
        stored = dict(Message.objects.shown().values_list("discord_id", "content"))
        truth = self.truth()
        assert stored.keys() - truth.keys() == set(), "deleted ones shown, or from outside"
        assert truth.keys() - stored.keys() == set(), "missing"
        assert {key for key in truth if truth[key] != stored[key]} == set(), "stale"

    def assert_closed_and_covered(self, session: Session) -> None:
        session.refresh_from_db()
        assert session.closed_at is not None
        assert not session.given_up
        for feed in Feed.objects.filter(session=session):
            assert feed.coverage.gaps(session.window) == []


def ticks(start_s: float, end_s: float, rng: random.Random) -> list[float]:
    """The times of ticks 30 to 31 s apart."""
    times = []
    now = start_s
    while now < end_s:
        times.append(now)
        now += rng.uniform(30, 31)
    return times

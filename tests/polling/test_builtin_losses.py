"""A bot that loses permissions, the intent, its token or Discord itself at any moment.

Whatever it loses, and be it between two calls of a run, no message is lost, blanked or deleted.
"""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from messages_app.models import Message, Poll, Revision
from messages_app.replay.discord import access
from messages_app.replay.discord.faults import Fault
from messages_app.replay.discord.world import Change
from messages_app.replay.instants import milliseconds
from messages_app.replay.scenario import ChannelScript
from messages_app.windows import Window
from tests.polling.played_discord import PlayedDiscord, played_discord
from tests.simulation import START, at, ticks

pytestmark = pytest.mark.simulation

LENGTH_S = 3600
# What takes real time is short: an attempt that hangs, and a whole run.
IMPATIENT = {"POLLER_EXPORT_TIMEOUT": "2", "POLLER_RUN_BUDGET": "20"}
FAULTS = ("403", "404", "500", "502-html", "login", "odd", "half", "cut", "reset", "close", "ban")


def chat(channel: ChannelScript, rng: random.Random) -> dict[int, float]:
    """Messages, some edited or deleted; those that are deleted, with their time."""
    deleted = {}
    second = -60.0
    while second < LENGTH_S + 60:
        second += rng.uniform(1, 40)
        gone = second + rng.choice((40, 600)) if rng.random() < 0.1 else None
        edits = [(second + 20, f"edit at {second:.3f}")] if rng.random() < 0.1 else []
        is_in_time = gone is not None and gone < LENGTH_S
        message_id = channel.post(
            second,
            f"at {second:.3f}",
            edits=edits if second + 20 < LENGTH_S else [],
            deleted_at=gone if is_in_time else None,
        )
        if is_in_time and gone is not None:
            deleted[int(message_id)] = gone
    return deleted


def losses(simulation: PlayedDiscord, rng: random.Random) -> None:
    """Have something lost at random calls, for the rest of the run and for a while after it."""
    world = simulation.discord.world

    def lose_something(_path: str) -> None:
        if simulation.now_s > LENGTH_S or rng.random() > 0.02:
            return
        now_ms = milliseconds(at(simulation.now_s))
        end_ms = now_ms + round(rng.choice((1, 45, 400)) * 1000)
        what = rng.choice(("history", "view", "everywhere", "intent", "token", "fault"))
        channel = rng.choice(("201", "202"))
        if what == "fault":
            pattern = rng.choice(("messages", "guilds", "applications", ""))
            world.faults.faults.append(
                Fault(rng.choice(FAULTS), pattern, start_ms=now_ms, end_ms=end_ms)
            )
            return
        change = Change(now_ms, end_ms)
        if what in ("history", "view"):
            change.channel = channel
            change.deny = access.HISTORY if what == "history" else access.VIEW
        elif what == "everywhere":
            change.deny = access.HISTORY
        change.no_intent = what == "intent"
        change.bad_token = what == "token"
        world.changes.append(change)

    world.faults.on_call = lose_something


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_blanked_or_deleted(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("messages_app.discord.client.FIRST_PAUSE_S", 0.001)
    rng = random.Random(seed)
    with played_discord(tmp_path / "replay", environ, LENGTH_S) as simulation:
        deleted_at_s: dict[int, float] = {}
        for channel_id in simulation.channel_ids:
            deleted_at_s |= chat(simulation.channel(channel_id), rng)
        session = simulation.schedule()
        losses(simulation, rng)

        for second in ticks(1, LENGTH_S + 3 * 3600, rng):
            simulation.tick(second, **IMPATIENT)
            gone = set(Message.objects.exclude(deleted_at=None).values_list("pk", flat=True))
            assert gone <= {pk for pk, when in deleted_at_s.items() if when <= second}
            session.refresh_from_db()
            if session.closed_at:
                break

        assert Poll.objects.filter(succeeded=False).exists(), "nothing was lost in this run"
        simulation.assert_closed_and_covered(session)
        simulation.assert_equal_to_discord()
        assert not Message.objects.filter(content="").exists()
        assert not Revision.objects.filter(content="").exists()


def test_the_exporters_take_turns_and_show_no_false_edit(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    with played_discord(tmp_path / "replay", environ, 1200) as simulation:
        rng = random.Random(7)
        for channel_id in simulation.channel_ids:
            channel = simulation.channel(channel_id)
            first = channel.post(1, "first", author="Ana Lima")
            for second in range(2, 1200, 20):
                channel.post(second, f"at {second} 🏁", author=rng.choice(("Ana Lima", "Ben")))
            reference = {"messageId": first, "channelId": str(channel_id), "guildId": "100"}
            channel.post(600, "an answer", kind="Reply", message={"reference": reference})
            channel.post(610, "typo", edits=[(640, "no typo")])
        session = simulation.schedule()
        assert session.window == Window(START, START + timedelta(seconds=1200))

        for number, second in enumerate(range(30, 1290, 30)):
            other = {"POLLER_EXPORTER": environ["POLLER_EXPORTER"]} if number % 2 else {}
            assert simulation.tick(second, **other).status == 0

        simulation.assert_closed_and_covered(session)
        simulation.assert_equal_to_discord()
        assert set(Poll.objects.values_list("exporter", flat=True)) > {"builtin"}
        assert set(Revision.objects.values_list("content", flat=True)) == {"typo"}
        assert sum(Poll.objects.values_list("messages_edited", flat=True)) == 2

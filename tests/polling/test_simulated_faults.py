"""A session under every fault: in the end the database equals what Discord showed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from messages_app.models import Message, Poll, Revision, Session
from messages_app.replay.scenario import ChannelScript
from messages_app.windows import Coverage
from tests.simulation import START, Simulation, ticks

pytestmark = pytest.mark.simulation

HOUR_S = 3600
LENGTH_S = 4 * HOUR_S
OUTAGE_S = (1.5 * HOUR_S, 3.5 * HOUR_S)

# A hanging exporter costs the test real time: its limit and the run's budget are short.
IMPATIENT = {"POLLER_EXPORT_TIMEOUT": "1", "POLLER_RUN_BUDGET": "2"}

FAULTS = (
    "bad-token",
    "not-found",
    "forbidden",
    "server-error:0",
    "rate-limited:0",
    "network-down:0",
    "unreadable",
    "quiet",
    "no-file",
    "empty-file",
    "garbage",
    "crash-half",
    "killed",
    "cut-zero-exit",
    "hang",
    "hang-tree",
    "hang-deaf",
    "wrong-count",
    "other-channel",
    "slow:0.1",
    "stderr-flood",
)


def chat(channel: ChannelScript, rng: random.Random) -> None:
    """Messages that appear late, are edited soon or much later, deleted, and come back."""
    second = -120.0
    while second < LENGTH_S + 120:
        second += rng.uniform(1, 30)
        late = second + rng.choice((0, 0, 0, rng.uniform(0, 10)))
        edits = [
            (edited, f"edit at {edited:.3f}")
            for edited in sorted(second + rng.choice((12, 40, 900, 5000)) for _ in range(2))
            if rng.random() < 0.15 and edited < LENGTH_S
        ]
        deleted = second + rng.choice((11, 60, 2000)) if rng.random() < 0.1 else None
        restored = deleted + 600 if deleted and rng.random() < 0.2 else None
        if deleted and max(deleted, restored or 0) >= LENGTH_S:
            deleted = restored = None
        channel.post(
            round(second, 3),
            f"said at {second:.3f}",
            visible_at=late,
            edits=edits,
            deleted_at=deleted,
            restored_at=restored,
        )


def clock_error(true_s: float) -> float:
    """A clock that is 20 s ahead for a while, then 20 s behind, then right."""
    if 1000 <= true_s < 2000:
        return 20.0
    if 2000 <= true_s < 3000:
        return -20.0
    return 0.0


def test_whatever_fails_nothing_is_lost(tmp_path: Path, environ: dict[str, str]) -> None:
    rng = random.Random(42)
    simulation = Simulation(
        tmp_path / "replay", environ | IMPATIENT, LENGTH_S, clock_error_s=clock_error
    )
    for channel_id in simulation.channel_ids:
        chat(simulation.channel(channel_id), rng)
    start_s = 60.0
    for fault in FAULTS:
        simulation.fault(start_s, start_s + rng.uniform(60, 300), fault)
        start_s += 320
        if OUTAGE_S[0] - 320 < start_s < OUTAGE_S[1]:
            start_s = OUTAGE_S[1]
    session = simulation.schedule()
    outage_starts, outage_ends = OUTAGE_S

    schedule = [*ticks(-60, outage_starts, rng), *ticks(outage_ends, LENGTH_S + 1500, rng)]
    for second in schedule:
        simulation.tick(second)
        assert_only_proved_windows_count(session)

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)
    assert Message.objects.filter(deleted_at__isnull=False).exists()
    assert Revision.objects.exists()
    failed = set(Poll.objects.filter(succeeded=False).values_list("error_kind", flat=True))
    assert failed >= {"export-unusable", "exporter-failed", "time-limit", "token-refused"}
    for window in simulation.asked_windows():
        assert window.within(session.window) == window
    assert all(call["time"] >= START.isoformat() for call in simulation.calls())


def assert_only_proved_windows_count(session: Session) -> None:
    """Coverage never exceeds what was proved, and no lease outlives its run."""
    for feed in session.feeds.all():
        succeeded = Poll.objects.filter(feed=feed, succeeded=True)
        proved = Coverage(poll.window for poll in succeeded)
        assert [
            proved.gaps(window) for window in feed.coverage.windows if proved.gaps(window)
        ] == []
        assert feed.lease_until is None

"""Where the system gives few processes or descriptors, as many exporters run as there is room."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from messages_app.errors import NoRoom
from messages_app.exporter import process
from messages_app.models import Feed, Poll
from tests.confined import tick_confined
from tests.simulation import Simulation

LENGTH_S = 120
CHANNELS = tuple(range(201, 213))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def simulation(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    """Twelve channels with a message every 10 s, of which as many are read at once."""
    most = str(len(CHANNELS))
    simulation = Simulation(
        tmp_path / "replay", environ | {"POLLER_PARALLEL": most}, LENGTH_S, CHANNELS
    )
    for second in range(0, LENGTH_S, 10):
        for channel_id in CHANNELS:
            simulation.channel(channel_id).post(second, f"at {second}")
    return simulation


def descriptors(most: int) -> list[str]:
    return ["/bin/sh", "-c", f'ulimit -n {most}; exec "$@"', "sh"]


@pytest.mark.parametrize("most", [16, 20, 28])
def test_all_channels_are_read_with_few_descriptors(simulation: Simulation, most: int) -> None:
    session = simulation.schedule()

    for second in (60, LENGTH_S + 30):
        outcome, _told = tick_confined(
            descriptors(most), simulation, second, REPLAY_FAULT="slow:0.3"
        )
        assert outcome.status == 0
    assert not Poll.objects.exclude(error_kind="").exists()
    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def test_where_there_is_room_for_none_each_channel_waits_and_says_why(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation.schedule()

    def start(*_arguments: object) -> process.Call:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    with monkeypatch.context() as patch:
        patch.setattr(process, "Call", start)
        outcome = simulation.tick(60)

    assert outcome.status == NoRoom.status
    assert set(Feed.objects.values_list("error_kind", flat=True)) == {NoRoom.kind}
    told = [event.sentence for event in simulation.events]
    assert len(told) == len(CHANNELS)
    assert "Resource temporarily unavailable" in told[0]
    assert Feed.objects.exclude(lease_until=None).count() == 0

    assert simulation.tick(91).status == 0
    assert set(Feed.objects.values_list("failures", flat=True)) == {0}

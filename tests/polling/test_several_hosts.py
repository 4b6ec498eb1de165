"""Hosts that share a database share the feeds; one that dies is replaced."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connections

from messages_app.models import Feed, Poll
from messages_app.polling.leases import Leases
from tests.killable import start_tick
from tests.simulation import Simulation, at

pytestmark = pytest.mark.simulation

LENGTH_S = 600.0


@pytest.fixture
def simulation(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Simulation:
    monkeypatch.setenv("DATABASE_URL", environ["DATABASE_URL"])
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "config.settings")
    environ["POLLER_PARALLEL"] = "1"
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S, (201, 202, 203, 204))
    rng = random.Random(11)
    for channel_id in simulation.channel_ids:
        channel = simulation.channel(channel_id)
        for second in range(-20, int(LENGTH_S) + 20, 5):
            is_edited = second < LENGTH_S - 45 and rng.random() < 0.1
            edited = [(second + 45, f"edited {second}")] if is_edited else []
            channel.post(second, f"at {second}", edits=edited)
    return simulation


def test_two_hosts_share_a_session_and_one_takes_over_when_the_other_dies(
    simulation: Simulation, tmp_path: Path
) -> None:
    session = simulation.schedule()
    connections.close_all()
    states = {host: {"POLLER_STATE_DIR": str(tmp_path / host)} for host in ("anna", "berta")}

    def tick_both(second: float) -> None:
        processes = [start_tick(simulation, second, host, **states[host]) for host in states]
        for process in processes:
            process.join()
            assert process.exitcode == 0

    for second in range(30, 240, 30):
        tick_both(float(second))
    assert set(Poll.objects.values_list("host", flat=True)) == {"anna", "berta"}
    assert_nobody_polled_what_the_other_just_had()

    dying = start_tick(simulation, 240.0, "anna", **states["anna"], REPLAY_FAULT="slow:30")
    wait_for(
        lambda: Feed.objects.filter(lease_holder__startswith="anna.").exclude(lease_until=None)
    )
    os.kill(dying.pid or 0, signal.SIGKILL)
    dying.join()
    [leased] = Feed.objects.exclude(lease_until=None)
    lease_ends_s = 240 + 120 + 60

    for second in range(270, int(LENGTH_S) + 90, 30):
        process = start_tick(simulation, float(second), "berta", **states["berta"])
        process.join()
        assert process.exitcode == 0
        if second >= lease_ends_s + 30:
            taken_over = Poll.objects.filter(feed=leased, host="berta", started_at__gt=at(240))
            assert taken_over.exists()

    simulation.assert_equal_to_discord()
    simulation.assert_closed_and_covered(session)


def test_a_lease_keeps_others_out_until_it_ends(simulation: Simulation) -> None:
    [feed, *_] = simulation.schedule().feeds.all()
    first, second = Leases("anna:1", 120), Leases("berta:2", 120)

    assert (mine := first.claim(feed.pk, at(0)))
    assert second.claim(feed.pk, at(179)) is None
    assert first.claim(feed.pk, at(179)), "its holder may renew it"
    assert second.claim(feed.pk, at(300)) is None
    assert second.claim(feed.pk, at(179 + 180)), "a dead holder's lease expires"
    assert not first.confirm(mine, at(360)), "who lost it can store nothing"


def test_a_lease_is_free_at_once_when_it_is_released(simulation: Simulation) -> None:
    [feed, *_] = simulation.schedule().feeds.all()
    first, second = Leases("anna:1", 120), Leases("berta:2", 120)

    first.claim(feed.pk, at(0))
    first.release(feed.pk)

    assert second.claim(feed.pk, at(1))


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_up(
    simulation: Simulation,
) -> None:
    [feed, *_] = simulation.schedule().feeds.all()
    three_days_s = 3 * 86_400.0

    Leases("anna:1", 120).claim(feed.pk, at(three_days_s))

    assert Leases("berta:2", 120).claim(feed.pk, at(0))


def assert_nobody_polled_what_the_other_just_had() -> None:
    for feed in Feed.objects.all():
        polls = list(Poll.objects.filter(feed=feed).order_by("started_at", "id"))
        for earlier, later in pairwise(polls):
            is_soon = later.started_at - earlier.started_at < timedelta(seconds=25)
            assert earlier.host == later.host or not is_soon


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, which other processes bring about."""
    give_up_at = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)

"""The metrics: their values, their names, the file."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from messages_app.database.poll_totals import BUCKETS_MS, all_totals, fold_in
from messages_app.environment import CHECKOUT
from messages_app.models import Poll
from messages_app.reporting.metrics import metrics_text
from messages_app.reporting.timer import TimerHealth, TimerState
from tests.builders import at, make_feed, make_poll, make_session, span
from tests.commands import Manage
from tests.reporting.everything import make_everything, samples

if TYPE_CHECKING:  # older releases of pytest-django name no such thing
    pass

WAITING = TimerHealth(TimerState.WAITING, at(30.5), at(30), "success", 0)

pytestmark = pytest.mark.django_db


def metrics(minute: float = 30, timer: TimerHealth = WAITING) -> dict[str, float]:
    return samples(metrics_text(at(minute), timer))


def test_an_empty_database_has_metrics_too() -> None:
    found = metrics()
    assert found["discord_poller_live_sessions"] == 0
    assert found["discord_poller_poll_duration_seconds_count"] == 0
    assert "discord_poller_last_success_timestamp_seconds" not in found


def test_polls_are_counted_by_outcome_and_messages_by_change() -> None:
    feed = make_feed(make_session())
    make_poll(feed, 1, messages_read=5, messages_new=3, messages_edited=1, messages_unchanged=1)
    make_poll(feed, 2, messages_read=2, messages_new=2, messages_deleted=4)
    make_poll(feed, 3, succeeded=False, error_kind="token-refused")
    found = metrics()
    assert found['discord_poller_polls_total{outcome="success"}'] == 2
    assert found['discord_poller_polls_total{outcome="token-refused"}'] == 1
    assert found['discord_poller_messages_total{change="new"}'] == 5
    assert found['discord_poller_messages_total{change="deleted"}'] == 4
    assert found["discord_poller_last_poll_timestamp_seconds"] == at(3).timestamp()
    assert found["discord_poller_last_success_timestamp_seconds"] == at(2).timestamp()


def test_durations_are_cumulative_histograms() -> None:
    for duration_ms in (499, 500, 4000, 400_000):
        make_poll(None, duration_ms=duration_ms, exporter_ms=duration_ms - 100)
    found = metrics()
    name = "discord_poller_poll_duration_seconds"
    assert found[f'{name}_bucket{{le="0.5"}}'] == 2
    assert found[f'{name}_bucket{{le="5.0"}}'] == 3
    assert found[f'{name}_bucket{{le="300.0"}}'] == 3
    assert found[f'{name}_bucket{{le="+Inf"}}'] == found[f"{name}_count"] == 4
    assert found[f"{name}_sum"] == pytest.approx(404.999)
    assert found["discord_poller_exporter_duration_seconds_sum"] == pytest.approx(404.599)


def test_pruned_polls_go_on_counting() -> None:
    for minute in range(5):
        make_poll(None, minute, messages_new=2, succeeded=minute > 0, error_kind="x" * (not minute))
    before = all_totals()
    old = Poll.objects.filter(started_at__lt=at(3))
    assert fold_in(old) == 3
    assert Poll.objects.count() == 2
    assert all_totals() == before


def test_a_feed_tells_its_lag_gap_backoff_error_and_lease() -> None:
    session = make_session()
    make_feed(
        session,
        span(0, 10),
        span(15, 29),
        failures=2,
        error_kind="time-limit",
        next_attempt_at=at(32),
        lease_holder="host-a:12:ab",
        lease_until=at(31),
    )
    found = metrics()
    labels = f'channel="200",channel_name="pits",session="{session.pk}"'
    feed = "discord_poller_feed"
    assert found[f"{feed}_lag_seconds{{{labels}}}"] == 60
    assert found[f"{feed}_gap_seconds{{{labels}}}"] == 300
    assert found[f"{feed}_covered_timestamp_seconds{{{labels}}}"] == at(29).timestamp()
    assert found[f"{feed}_failures{{{labels}}}"] == 2
    assert found[f"{feed}_backoff_seconds{{{labels}}}"] == 120
    assert (
        found[
            f'{feed}_error{{channel="200",channel_name="pits",kind="time-limit",'
            f'session="{session.pk}"}}'
        ]
        == 1
    )
    assert (
        found[
            f'{feed}_lease{{channel="200",channel_name="pits",holder="host-a",'
            f'session="{session.pk}"}}'
        ]
        == 1
    )


def test_the_next_session_is_told_before_it_begins() -> None:
    session = make_session(60, 120)
    name = f'discord_poller_session_start_timestamp_seconds{{session="{session.pk}"}}'
    assert metrics()[name] == at(60).timestamp()


def test_the_timer_is_in_one_state() -> None:
    found = metrics(timer=TimerHealth(TimerState.DEAD))
    states = {key: value for key, value in found.items() if "timer_state" in key}
    assert states.pop('discord_poller_timer_state{state="dead"}') == 1
    assert set(states.values()) == {0}


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool of Debian's prometheus")
def test_promtool_finds_nothing_to_complain_about() -> None:
    make_everything()
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=metrics_text(at(30), WAITING),
        capture_output=True,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_hundred_thousand_polls_take_one_query_for_their_totals(
    django_assert_num_queries: object,
) -> None:
    with django_assert_num_queries(2):  # type: ignore[operator]
        all_totals()


def test_a_poll_writes_the_file_for_node_exporter(manage: Manage, tmp_path: Path) -> None:
    make_feed(make_session(end_time="2100-01-01T00:00Z"))
    path = tmp_path / "poller.prom"
    settings = {"POLLER_METRICS_TEXTFILE": str(path), "POLLER_RUN_BUDGET": "1"}
    manage("poll_recent_messages", status=69, REPLAY_FAULT="forbidden", **settings)
    found = samples(path.read_bytes())
    assert found['discord_poller_polls_total{outcome="exporter-failed"}'] == 1
    assert found["discord_poller_last_run_exit_status"] == 69
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.glob(".poller.prom*")) == []


def test_a_file_that_cannot_be_written_does_not_fail_the_poll(
    manage: Manage, tmp_path: Path
) -> None:
    path = tmp_path / "missing/poller.prom"
    output = manage("poll_recent_messages", POLLER_METRICS_TEXTFILE=str(path))
    assert f"The metrics cannot be written to {path} (No such file or directory)" in output


def test_a_poll_without_the_file_does_not_load_prometheus_client(environ: dict[str, str]) -> None:
    make_feed(make_session(end_time="2100-01-01T00:00Z"))
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from messages_app import command_line; "
        "status = command_line.main(['manage.py', 'poll_recent_messages', '--now']); "
        "assert 'django' in sys.modules; assert 'prometheus_client' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code, CHECKOUT],
        env=environ | {"POLLER_RUN_BUDGET": "1"},
        check=True,
        capture_output=True,
    )


def test_bucket_bounds_stay_what_pruned_polls_were_counted_by() -> None:
    assert BUCKETS_MS == (500, 1000, 2500, 5000, 10000, 15000, 30000, 60000, 120000, 300000)


def test_names_of_users_and_tokens_are_in_no_metric() -> None:
    make_everything()
    assert not re.search(rb"token=|DISCORD_TOKEN|Ana", metrics_text(at(30), WAITING))

"""The metrics of Prometheus, collected from database and timer at each reading.

Names, units and meanings are described in docs/metrics.md. A oneshot has no memory, so counters
are what the stored polls add up to.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from datetime import datetime

import django
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from messages_app.database.poll_totals import BUCKETS_MS, CHANGES, Totals
from messages_app.models import Phase, Poll, PollQuerySet
from messages_app.reporting.feeds import FeedState
from messages_app.reporting.situation import Situation
from messages_app.reporting.timer import TimerHealth, TimerState
from messages_app.version import VERSION

PREFIX = "discord_poller"
FEED_LABELS = ("session", "channel", "channel_name")


class SituationCollector(Collector):
    """Yields the metrics of one situation and the totals that go with it."""

    def __init__(self, situation: Situation, totals: Totals) -> None:
        self._situation = situation
        self._totals = totals

    def collect(self) -> Iterable[Metric]:
        yield InfoMetricFamily(
            f"{PREFIX}_build",
            "The versions that are at work.",
            {
                "version": VERSION,
                "django": django.get_version(),
                "python": platform.python_version(),
            },
        )
        yield from _poll_metrics(self._totals)
        yield from _session_metrics(self._situation)
        yield from _feed_metrics(self._situation)
        yield from _timer_metrics(self._situation.timer)


def _poll_metrics(totals: Totals) -> Iterator[Metric]:
    polls = CounterMetricFamily(
        f"{PREFIX}_polls",
        "Polls by outcome: success, or the kind of the error.",
        labels=["outcome"],
    )
    for key in sorted(key for key in totals if key.startswith("polls:")):
        polls.add_metric([key.removeprefix("polls:")], totals[key])
    yield polls
    messages = CounterMetricFamily(
        f"{PREFIX}_messages", "Messages by what a poll found them to be.", labels=["change"]
    )
    for change in CHANGES:
        messages.add_metric([change], totals[f"messages:{change}"])
    yield messages
    yield _histogram(
        "poll_duration_seconds", "How long polls took, storing included.", totals, "duration_ms"
    )
    yield _histogram(
        "exporter_duration_seconds", "How long the exporter took of it.", totals, "exporter_ms"
    )
    yield _gauge(
        "last_poll_timestamp_seconds",
        "When the newest poll began, by whichever host.",
        _newest(Poll.objects.all()),
    )
    yield _gauge(
        "last_success_timestamp_seconds",
        "When the newest successful poll began.",
        _newest(Poll.objects.filter(succeeded=True)),
    )


def _histogram(name: str, meaning: str, totals: Totals, time: str) -> Metric:
    count = sum(number for key, number in totals.items() if key.startswith("polls:"))
    buckets = [(str(bound / 1000), totals[f"{time}:le:{bound}"]) for bound in BUCKETS_MS]
    family = HistogramMetricFamily(f"{PREFIX}_{name}", meaning)
    family.add_metric([], [*buckets, ("+Inf", count)], totals[f"{time}:sum"] / 1000)
    return family


def _newest(polls: PollQuerySet) -> datetime | None:
    newest = polls.latest_first().values_list("started_at", flat=True).first()
    return newest if isinstance(newest, datetime) else None


def _session_metrics(situation: Situation) -> Iterator[Metric]:
    live = sum(each.phase is Phase.LIVE for each in situation.sessions)
    yield GaugeMetricFamily(f"{PREFIX}_live_sessions", "How many sessions are live.", live)
    yield GaugeMetricFamily(
        f"{PREFIX}_backlog_seconds",
        "Session time that is still to be read, all feeds together.",
        situation.backlog_s,
    )
    start = GaugeMetricFamily(
        f"{PREFIX}_session_start_timestamp_seconds",
        "When a session that is live, being closed or next begins.",
        labels=["session"],
    )
    end = GaugeMetricFamily(
        f"{PREFIX}_session_end_timestamp_seconds",
        "When a session that is live, being closed or next ends.",
        labels=["session"],
    )
    sessions = [each.session for each in situation.sessions if each.phase is not Phase.GIVEN_UP]
    for session in [*sessions, *([situation.coming] if situation.coming else [])]:
        start.add_metric([str(session.pk)], session.start_time.timestamp())
        end.add_metric([str(session.pk)], session.end_time.timestamp())
    yield start
    yield end


def _feed_metrics(situation: Situation) -> Iterator[Metric]:
    feeds = [feed for each in situation.sessions for feed in each.feeds]
    now = situation.now
    for name, meaning, values in (
        (
            "lag_seconds",
            "How far a live session's feed is behind the clock.",
            [feed.lag_s for feed in feeds],
        ),
        (
            "covered_timestamp_seconds",
            "The newest instant that is covered.",
            [feed.covered_to.timestamp() for feed in feeds],
        ),
        ("gap_seconds", "Session time that is missing.", [feed.gap_s for feed in feeds]),
        (
            "unswept_seconds",
            "What the closing sweep has still to read again.",
            [feed.unswept_s for feed in feeds],
        ),
        ("failures", "Failed polls in a row.", [feed.failures for feed in feeds]),
        (
            "backoff_seconds",
            "How long until a failing feed is tried again.",
            [_left_s(feed.next_attempt_at, now) for feed in feeds],
        ),
    ):
        family = GaugeMetricFamily(f"{PREFIX}_feed_{name}", meaning, labels=FEED_LABELS)
        for feed, value in zip(feeds, values, strict=True):
            family.add_metric(_labels(feed), value)
        yield family
    errors = GaugeMetricFamily(
        f"{PREFIX}_feed_error",
        "1 for the kind of error that a feed failed with last.",
        labels=[*FEED_LABELS, "kind"],
    )
    leases = GaugeMetricFamily(
        f"{PREFIX}_feed_lease",
        "1 for the host that works on a feed now.",
        labels=[*FEED_LABELS, "holder"],
    )
    for feed in feeds:
        if feed.error_kind:
            errors.add_metric([*_labels(feed), feed.error_kind], 1)
        if feed.lease_holder:
            # The run's own part of the name would make a new time series for each run.
            leases.add_metric([*_labels(feed), feed.lease_holder.split(":")[0]], 1)
    yield errors
    yield leases


def _timer_metrics(timer: TimerHealth) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        f"{PREFIX}_timer_state", "1 for the state that poller.timer is in.", labels=["state"]
    )
    for state in TimerState:
        states.add_metric([state.value], float(timer.state is state))
    yield states
    yield _gauge(
        "timer_next_elapse_timestamp_seconds", "When poller.timer fires next.", timer.next_elapse
    )
    yield _gauge(
        "last_run_timestamp_seconds",
        "When the last run on this host began, idle ones included.",
        timer.last_run,
    )
    status = GaugeMetricFamily(
        f"{PREFIX}_last_run_exit_status", "The exit status of the last run on this host.", labels=[]
    )
    if timer.last_status is not None:
        status.add_metric([], timer.last_status)
    yield status


def _gauge(name: str, meaning: str, instant: datetime | None) -> Metric:
    """A gauge of an instant, without a sample where there is none."""
    family = GaugeMetricFamily(f"{PREFIX}_{name}", meaning, labels=[])
    if instant:
        family.add_metric([], instant.timestamp())
    return family


def _left_s(instant: datetime | None, now: datetime) -> float:
    return max((instant - now).total_seconds(), 0.0) if instant else 0.0


def _labels(feed: FeedState) -> list[str]:
    return [str(feed.session_id), str(feed.channel_id), feed.channel_name]

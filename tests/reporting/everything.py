"""A situation in which every metric has a sample."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from messages_app.models import Poll
from messages_app.reporting.metrics import metrics_text
from messages_app.reporting.timer import TimerHealth, TimerState
from tests.builders import at, make_feed, make_poll, make_session, span


def make_everything() -> None:
    """A live session with a failing, leased feed, a coming session, and polls."""
    feed = make_feed(
        make_session(),
        span(0, 10),
        span(15, 29),
        failures=2,
        error_kind="time-limit",
        error="Too slow.",
        next_attempt_at=at(32),
        lease_holder="host-a:12:ab",
        lease_until=at(31),
    )
    make_session(90, 120)
    make_poll(feed, 29, messages_read=1, messages_new=1)
    make_poll(feed, 30, succeeded=False, error_kind="time-limit", purpose=Poll.Purpose.CATCH_UP)


def all_metrics_text() -> str:
    """The metrics of that situation."""
    timer = TimerHealth(TimerState.WAITING, at(30.5), at(30), "exit-code", 69)
    return metrics_text(at(30), timer).decode()


def metric_families(text: str) -> dict[str, str]:
    """The types of the metrics by their names."""
    lines = [line.split() for line in text.splitlines() if line.startswith("# TYPE ")]
    return {name: kind for _, _, name, kind in lines}


def sample_names(text: str) -> set[str]:
    """The names that a query can ask for."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.split("{")[0].split()[0] for line in lines}


def samples(text: bytes) -> dict[str, float]:
    """The values by name and labels, written as Prometheus does."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found

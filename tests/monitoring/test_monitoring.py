"""The alert rules and the dashboard that are shipped, against the metrics that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from messages_app.environment import CHECKOUT
from tests.reporting.everything import all_metrics_text, make_everything, sample_names

MONITORING = Path(CHECKOUT) / "monitoring"
RULES = MONITORING / "discord-poller.rules.yml"
DASHBOARD = MONITORING / "discord-poller.dashboard.json"
TESTS = Path(__file__).parent / "rules.test.yml"

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="needs promtool of Debian's prometheus"
)


def promtool(*arguments: object) -> None:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return loaded


def expressions() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def asked_for(text: str) -> set[str]:
    return set(re.findall(r"discord_poller_\w+", text))


@needs_promtool
def test_the_rules_raise_their_alerts_and_no_others() -> None:
    promtool("test", "rules", TESTS)


@needs_promtool
def test_the_rules_are_as_prometheus_wants_them() -> None:
    promtool("check", "rules", RULES)


def test_every_alert_has_a_test() -> None:
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text(encoding="utf-8")))
    blocks = re.findall(
        r"alertname: (\w+)\n\s+exp_alerts:\n\s+- ", TESTS.read_text(encoding="utf-8")
    )
    assert alerts == set(blocks)


@pytest.mark.django_db
def test_rules_and_their_tests_ask_for_metrics_that_there_are() -> None:
    make_everything()
    there_are = sample_names(all_metrics_text())
    for path in (RULES, TESTS):
        assert asked_for(path.read_text(encoding="utf-8")) <= there_are


@pytest.mark.django_db
def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    make_everything()
    text = json.dumps(dashboard())
    assert len(expressions()) > 10
    assert asked_for(text) - {"discord_poller_"} <= sample_names(all_metrics_text())


@pytest.mark.django_db
def test_the_dashboard_shows_every_metric() -> None:
    make_everything()
    shown = asked_for(" ".join(expressions()))
    # A histogram's count and sum are not shown where its buckets are.
    parts = {name for name in sample_names(all_metrics_text()) if name.endswith(("_count", "_sum"))}
    not_shown = {
        "discord_poller_feed_covered_timestamp_seconds",  # as the lag
        "discord_poller_last_poll_timestamp_seconds",  # as the newest success
        "discord_poller_timer_next_elapse_timestamp_seconds",  # as the timer's state
    }
    assert sample_names(all_metrics_text()) - parts - not_shown == shown


@needs_promtool
def test_prometheus_understands_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": _filled_in(expression)}
        for number, expression in enumerate(expressions())
    ]
    # JSON is YAML, too.
    path = tmp_path / "dashboard.rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", path)


def test_every_panel_says_what_it_shows_and_none_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        assert panel["title"]
        assert panel["description"].endswith(".")
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells


def _filled_in(expression: str) -> str:
    return expression.replace("$__rate_interval", "5m").replace("$job", ".*")

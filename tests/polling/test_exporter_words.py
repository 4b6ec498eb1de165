"""The table of docs/exporter.md, row by row: what the exporter does, what becomes of it here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from messages_app.environment import CHECKOUT
from messages_app.models import Poll
from messages_app.replay.faults import NAMES
from tests.simulation import Simulation

# Faults that ask for more than their name: of the scenario, or of the settings.
IMPATIENT = {"POLLER_EXPORT_TIMEOUT": "1", "POLLER_RUN_BUDGET": "1"}
CATEGORY, LONELY_CATEGORY = 150, 151
PLAYED: dict[str, dict[str, str]] = {
    "bad-token": {"REPLAY_FAULT": "bad-token"},
    "category": {"POLLER_CHANNELS": str(LONELY_CATEGORY)},
    "categories": {"POLLER_CHANNELS": str(CATEGORY)},
    "unparsable": {"POLLER_CHANNELS": "203"},
    "silence": {"REPLAY_FAULT": "network-down", **IMPATIENT},
    "hang": {"REPLAY_FAULT": "hang", **IMPATIENT},
    "quiet-is-failure": {"REPLAY_FAULT": "quiet", "REPLAY_VERSION": "2.44"},
    **{
        name: {"REPLAY_FAULT": f"{name}:0"}
        for name in ("network-down", "server-error", "untrusted-tls", "rate-limited")
    },
}
# What only delays or makes noise, or hangs in another way, is no row of its own.
BESIDE = {"slow", "drip", "stderr-flood", "hang-tree", "hang-deaf"}


def table() -> dict[str, list[str]]:
    text = (Path(CHECKOUT) / "docs/exporter.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `([a-z0-9-]+)` (.*)\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")[2:]] for name, rest in lines}


@pytest.fixture
def simulation(tmp_path: Path, environ: dict[str, str]) -> Simulation:
    """A channel with a message every 10 s, a lonely one, and one with a message of a new kind."""
    simulation = Simulation(tmp_path / "replay", environ, 600, (201,))
    for second in range(0, 600, 10):
        simulation.channel(201).post(second, f"secret talk at {second}")
    simulation.channel(205).post(1, "beside it")
    other = str(LONELY_CATEGORY)
    simulation.scenario.channel("202", category="Lonely", category_id=other).post(1, "alone")
    new = simulation.scenario.channel("203", category="New", category_id="152")
    new.post(1, "new", unparsable="Unknown sticker format '9'.")
    return simulation


def test_every_fault_of_the_stand_in_has_a_row_and_every_row_a_fault() -> None:
    assert table().keys() | BESIDE == NAMES | PLAYED.keys()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", table())
def test_a_row_says_what_becomes_of_it(simulation: Simulation, fault: str) -> None:
    statuses, kinds, told = table()[fault]
    settings = PLAYED.get(fault, {"REPLAY_FAULT": fault})
    simulation.channel_ids = tuple(map(int, settings.get("POLLER_CHANNELS", "201").split(",")))
    session = simulation.schedule()

    sentence = ""
    for second, status in enumerate(map(int, statuses.split(", ")), start=1):
        repeated = {} if fault == "mistaken-token" and second > 1 else settings
        assert simulation.tick(60 * second, **repeated).status == status
        feed = session.feeds.get()
        sentence = feed.error or sentence

    kinds_met = [p.error_kind for p in Poll.objects.order_by("id") if p.error_kind]
    assert re.findall(r"`(.+?)`", kinds) == list(dict.fromkeys(kinds_met))
    assert told in sentence
    assert sentence in "".join(event.sentence for event in simulation.events)
    assert "secret talk" not in sentence


@pytest.mark.django_db(transaction=True)
def test_no_name_that_somebody_chose_on_discord_is_taken_for_the_exporters_words(
    simulation: Simulation,
) -> None:
    category = "Authentication token is invalid. ERROR unauthorized"
    simulation.scenario.channel("204", name="unauthorized", category=category).post(1, "hello")
    simulation.channel_ids = (204,)
    session = simulation.schedule()

    for second in (60, 120, 180):
        assert simulation.tick(second, REPLAY_FAULT="unreadable").status == 69

    assert "View Channel and Read Message History" in session.feeds.get().error

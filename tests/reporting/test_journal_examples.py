"""The examples of docs/journal.md are what a run really says, at the second at which it says it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from messages_app.environment import CHECKOUT
from messages_app.events import WARNING
from tests.simulation import Simulation, at

LENGTH_S = 4 * 3600
CHANNEL = 81384788765712384
# What the exporter is made to fail with, from and until when, in the order of the examples.
EXAMPLES = [("network-down", 600, 4200), ("forum", 600, 1200), ("no-intent", 600, 1200)]


def examples() -> list[list[str]]:
    text = (Path(CHECKOUT) / "docs/journal.md").read_text(encoding="utf-8")
    return [block.splitlines() for block in re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)]


def test_there_is_an_example_for_each() -> None:
    assert len(examples()) == len(EXAMPLES)


@pytest.mark.simulation
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_is_what_the_journal_says(
    tmp_path: Path, environ: dict[str, str], number: int
) -> None:
    fault, start_s, end_s = EXAMPLES[number]
    simulation = Simulation(tmp_path / "replay", environ, LENGTH_S, (CHANNEL,))
    for second in range(4800):
        simulation.channel(CHANNEL).post(second / 4, "hello")
    simulation.fault(start_s, end_s, fault)
    simulation.schedule()

    said = []
    for second in range(30, end_s + 30, 30):
        told = len(simulation.events)
        simulation.tick(second, POLLER_EXPORT_TIMEOUT="1")
        for event in simulation.events[told:]:
            if event.priority <= WARNING:
                sentence = re.sub(r"^Session \d+", "Session 3", event.sentence)
                # The exporter stays silent for as long as it may, which is shorter here.
                sentence = sentence.replace("within 1 s", "within 120 s")
                took = "120.0" if "within 120 s" in sentence else "3.9"
                sentence = re.sub(r"read in \d+\.\d s", f"read in {took} s", sentence)
                said.append(f"{at(second):%b %d %H:%M:%S} poller discord-poller[711]: {sentence}")

    *first, elided, last = examples()[number]
    assert elided == "…"
    assert said[: len(first)] == first
    assert said[-1] == last

"""A tick as a program of its own, behind words that confine it, such as `unshare`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from messages_app.database.outage import outages_explained
from messages_app.environment import CHECKOUT
from messages_app.errors import PollerError
from messages_app.events import RunOutcome
from tests.simulation import Simulation


def start_confined(
    confinement: Sequence[str],
    simulation: Simulation,
    second: float,
    host: str = "",
    **settings: str,
) -> subprocess.Popen[str]:
    """Start one run of the simulation behind the words of `confinement`."""
    environ = simulation.environ | settings
    orders = [str(simulation.folder), json.dumps(environ), str(second), host]
    return subprocess.Popen(
        [*confinement, sys.executable, "-m", __name__, *orders],
        cwd=CHECKOUT,
        env=environ | {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tick_confined(
    confinement: Sequence[str],
    simulation: Simulation,
    second: float,
    host: str = "",
    **settings: str,
) -> tuple[RunOutcome, str]:
    """Do one such run; return its outcome, and the sentences that it told."""
    process = start_confined(confinement, simulation, second, host, **settings)
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 0, said + complained
    assert "Traceback" not in complained, complained
    *told, sentence = said.splitlines()
    status, _, text = sentence.partition(" ")
    return RunOutcome(text, int(status)), "\n".join(told)


def main(folder: str, environ: str, second: str, host: str) -> None:
    if host:
        socket.gethostname = lambda: host
    simulation = Simulation(Path(folder), json.loads(environ), 0)
    simulation.events = Told()
    try:
        with outages_explained():
            outcome = simulation.tick(float(second))
    except PollerError as error:
        outcome = RunOutcome(str(error), error.status)
    print(outcome.status, outcome.sentence, flush=True)
    os._exit(0)


class Told(list):  # type: ignore[type-arg]
    """Events, printed as they come."""

    def append(self, event: object) -> None:
        print(getattr(event, "sentence", event), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

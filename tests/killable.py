"""A tick in a process that can be killed, forked from one that has Django loaded already."""

from __future__ import annotations

import multiprocessing
import os
import socket
from multiprocessing.process import BaseProcess
from pathlib import Path

import django
from django.apps import apps

if not apps.ready:
    django.setup()

from tests.simulation import Simulation


def start_tick(
    simulation: Simulation, second: float, host: str = "", **settings: str
) -> BaseProcess:
    """Start one run of the simulation in a process of its own, on a host of that name.

    The first call starts the process that the others are forked from: from then on all of them
    work on the database of that call's environment.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(
        target=_tick, args=(simulation.folder, simulation.environ | settings, second, host)
    )
    process.start()
    return process


def _tick(folder: Path, environ: dict[str, str], second: float, host: str) -> None:
    if host:
        socket.gethostname = lambda: host
    Simulation(folder, environ, 0).tick(second)


def processes_of(folder: Path) -> list[str]:
    """The command lines of living processes that were told of a simulation's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            environ = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if command and f"REPLAY_LOG={folder}/".encode() in environ:
            found.append(command.replace(b"\0", b" ").decode())
    return found

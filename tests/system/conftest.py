"""The machines of the tests: one of each suite to be driven, one more for the real period."""

from collections.abc import Iterator

import pytest

from tests.system.disks import SUITES, installed
from tests.system.machine import Machine
from tests.system.server import CHANNEL, Server


def _suites(purpose: str) -> list[object]:
    """Each suite, with the mark that keeps a machine's tests on one worker of pytest-xdist."""
    return [
        pytest.param(name, marks=pytest.mark.xdist_group(f"{name}-{purpose}")) for name in SUITES
    ]


@pytest.fixture(scope="session", params=_suites("driven"))
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A booted machine on which `make install` was run, with a live session of one channel."""
    with Machine(request.param, installed(SUITES[request.param])) as machine:
        server = Server(machine)
        server.reset()
        server.add_session("--channel", CHANNEL)
        yield machine


@pytest.fixture
def server(machine: Machine) -> Server:
    """discord-poller on that machine, off, with healthy settings and a period of two seconds."""
    server = Server(machine)
    server.reset()
    return server


@pytest.fixture(params=_suites("period"))
def undisturbed(request: pytest.FixtureRequest) -> Iterator[Server]:
    """discord-poller on a machine of its own, with the units as they are shipped."""
    with Machine(f"{request.param}-period", installed(SUITES[request.param])) as machine:
        server = Server(machine)
        server.reset(period_s=None)
        yield server


@pytest.fixture(params=_suites("driven"))
def fresh(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine on which `make install` was run just now and nothing else."""
    with Machine(f"{request.param}-fresh", installed(SUITES[request.param])) as machine:
        yield machine

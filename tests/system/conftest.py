"""The machines of the tests: of each suite one to be driven, one for the real period, and fresh
ones for the installation.

They are driven side by side, each by one worker of pytest-xdist: a test's id ends with the name of
its machine.
"""

import re
from collections.abc import Generator, Iterator

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from tests.system.disks import SUITES, dotnet, installed
from tests.system.machine import Machine
from tests.system.server import CHANNEL, Server

# What takes longest, the longest first; else one machine would keep all waiting at the end.
LONGEST_FIRST = ("package", "autopkgtest", "driven", "period")


def machine_of(nodeid: str) -> str:
    found = re.search(r"\[([a-z]+_[a-z]+)", nodeid)
    assert found, f"{nodeid} uses no machine"
    return found[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        purpose = machine_of(item.nodeid).split("_")[1]
        return [*LONGEST_FIRST, purpose].index(purpose)

    items.sort(key=place)


class OneWorkerForEachMachine(LoadScopeScheduling):  # type: ignore[misc]
    """Sends all tests of a machine to one worker, whatever their files."""

    def _split_scope(self, nodeid: str) -> str:
        return machine_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> OneWorkerForEachMachine:
    config.option.loadscopereorder = False
    return OneWorkerForEachMachine(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the machine's journal beside a failure."""
    report = yield
    for part in getattr(item, "funcargs", {}).values():
        machine = part.machine if isinstance(part, Server) else part
        if call.excinfo and isinstance(machine, Machine):
            lines = machine.run("journalctl", "--no-pager", "--lines=60", check=False).stdout
            report.sections.append((f"journal of {machine.name}", lines))
            break
    return report


def _suites(purpose: str) -> list[object]:
    return [pytest.param(suite, id=f"{suite.name}_{purpose}") for suite in SUITES]


@pytest.fixture(scope="session", params=_suites("driven"))
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A booted machine on which `make install` was run, with a live session of one channel and a
    real .NET program."""
    suite = request.param
    with Machine(suite.name, [*installed(suite), dotnet()]) as machine:
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
    suite = request.param
    with Machine(f"{suite.name}-period", installed(suite)) as machine:
        server = Server(machine)
        server.reset(period_s=None)
        yield server


@pytest.fixture(params=_suites("fresh"))
def fresh(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine on which `make install` was run just now and nothing else."""
    suite = request.param
    with Machine(f"{suite.name}-fresh", installed(suite)) as machine:
        yield machine

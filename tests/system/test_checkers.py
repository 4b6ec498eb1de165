"""Debian's own checks of the package: its autopkgtest and piuparts, on a booted Debian 13."""

import re
from collections.abc import Iterator

import pytest

from messages_app.version import VERSION
from tests.system import disks, packages
from tests.system.machine import Machine
from tests.system.packages import FOLDER, RELEASES

TRIXIE = RELEASES[-1]
NOW, NEXT = (f"{FOLDER}/discord-poller_{version}.deb" for version in ("now", "next"))
# What a clean Debian 13 is to piuparts, and where it has packages from.
CHROOT = "/srv/chroot"
REPOSITORY = "/srv/repository"


@pytest.fixture
def checker(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine with Debian's checkers."""
    with Machine(request.param.replace("_", "-"), packages.with_checkers(TRIXIE)) as machine:
        yield machine


@pytest.mark.parametrize("checker", ["trixie_autopkgtest"], indirect=True)
def test_the_tests_of_the_package_pass_on_the_installed_program(checker: Machine) -> None:
    checker.run("useradd", "--create-home", "tester")
    source = checker.sh(f"ls {FOLDER}/*.dsc").strip()

    done = checker.run(
        # The machine is one of its own, which autopkgtest cannot see from inside.
        *("autopkgtest", "--ignore-restrictions=isolation-machine", "--user=tester"),
        *("--output-dir=/srv/results", NOW, source, "--", "null"),
        check=False,
        timeout_s=2400,
    )

    summary = checker.sh("cat /srv/results/summary")
    results = re.findall(r"^(\w+) +(\w+)", summary, re.MULTILINE)
    assert results == [("smoke", "PASS"), ("suite", "PASS")], done.stdout[-20000:]


@pytest.mark.parametrize("checker", ["trixie_piuparts"], indirect=True)
def test_installing_upgrading_and_purging_leaves_nothing_behind(checker: Machine) -> None:
    _make_repository(checker)
    piuparts = (
        *("piuparts", f"--existing-chroot={CHROOT}", "--keep-sources-list", "--no-eatmydata"),
        *(f"--bindmount={REPOSITORY}", "--pedantic-purge-test"),
    )

    # The version in the repository is what the upgrade starts from.
    upgraded = checker.run(*piuparts, NEXT, check=False, timeout_s=600).stdout
    returned = checker.run(
        *(*piuparts, "--no-upgrade-test", "--install-remove-install", NOW),
        check=False,
        timeout_s=600,
    ).stdout

    assert "PASS: Installation, upgrade and purging tests." in upgraded, upgraded[-20000:]
    assert "PASS: All tests." in upgraded, upgraded[-20000:]
    assert f"Setting up discord-poller ({VERSION}-1)" in upgraded
    assert "PASS: All tests." in returned, returned[-20000:]


def _make_repository(machine: Machine) -> None:
    """Give the machine a clean Debian in CHROOT, and what it may install, in REPOSITORY."""
    disks._host("cp", "--archive", str(packages.bare(TRIXIE)), f"{machine.root}{CHROOT}")
    machine.sh(
        f"""
        mkdir {REPOSITORY}
        cd {REPOSITORY}
        mv {CHROOT}/var/cache/apt/archives/*.deb .
        cp {NOW} .
        dpkg-scanpackages . >Packages
        rm -r {CHROOT}/var/lib/apt/lists/*
        echo 'deb [trusted=yes] file:{REPOSITORY} ./' >{CHROOT}/etc/apt/sources.list
        """
    )

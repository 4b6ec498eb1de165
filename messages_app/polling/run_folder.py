"""One run of a command: its name, its folder for exports, and what dead runs left behind.

A run holds a lock on its folder in STATE/runs for as long as it lives; the kernel lets go of it
however the run ends. So a folder that nobody locks belongs to a run that was killed: its files
can go, and its leases can be freed at once instead of when they expire.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from messages_app.environment import Settings
from messages_app.errors import ConfigurationError
from messages_app.state_files import read_own, written_beside


class Run:
    """A run of this host. Once it is entered, `name` is unique among all hosts, `folder` private.

    A name begins with the host's, which is that of its state folder, too: two hosts may both be
    called `localhost`.
    """

    name: str
    folder: Path

    def __init__(self, state_dir: Path) -> None:
        self.host = socket.gethostname()
        self._runs = state_dir / "runs"
        self._host_id = state_dir / "host-id"
        self._lock = -1
        # Whether it may have leases that were not ended, which the next run then does.
        self.has_leases = False

    @classmethod
    def of(cls, settings: Settings) -> Run:
        return cls(Path(settings.state_dir))

    def __enter__(self) -> Run:
        """Make the folder; raise ConfigurationError where that cannot be done."""
        try:
            self._make_folder()
        except OSError as error:
            raise ConfigurationError(
                f"{self._runs} cannot be written ({error.strerror}): check POLLER_STATE_DIR, who "
                "may write there, and the disk's free space."
            ) from None
        return self

    def __exit__(self, *_exception: object) -> None:
        if not self.has_leases:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)

    @contextmanager
    def dead_runs(self) -> Iterator[list[str]]:
        """Yield the names of this host's dead runs; afterwards remove what they left.

        Where the block raises, their folders stay, so that the next run finds them again.
        """
        with _locked(self._runs):
            dead = [folder for folder in self._runs.iterdir() if _is_unlocked(folder)]
            yield [folder.name for folder in dead]
            for folder in dead:
                shutil.rmtree(folder, ignore_errors=True)

    def _make_folder(self) -> None:
        self._runs.mkdir(parents=True, exist_ok=True)
        host = f"{self.host}.{_known_by(self._host_id)}"
        self.name = f"{host}:{os.getpid()}:{secrets.token_hex(4)}"
        self.folder = self._runs / self.name
        with _locked(self._runs):  # or else another run could take the new folder for a dead one's
            self.folder.mkdir(mode=0o700)
            self._lock = os.open(self.folder, os.O_RDONLY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)


def _known_by(path: Path) -> str:
    """What the file says, which the first run of a host writes; "" where that cannot be done."""
    with suppress(OSError):
        if known := _host_id(path):
            return known
        draft = written_beside(path, secrets.token_hex(4))
        try:
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return _host_id(path)
    return ""


def _host_id(path: Path) -> str:
    """The id in the file; "" where there is none."""
    try:
        known = read_own(path, 9)
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    return known if re.fullmatch("[0-9a-f]{8}", known) else ""


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_unlocked(folder: Path) -> bool:
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # its run has just ended by itself
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True

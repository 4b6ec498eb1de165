"""The folder of installed exporters: one in use, the former one kept, switched in one step."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from messages_app.errors import UsageError

# systemd/poller.service has its `current` on its PATH. The service can read it and not write it.
FOLDER = Path("/var/lib/discord-poller-exporter")
_CURRENT = "current"
_FORMER = "former"


class InstalledExporters:
    """`folder` holds a folder for each exporter and two links to them: current and former."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who changes the folder, made if there is none; raise UsageError."""
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise UsageError(f"{self.folder} cannot be used ({error.strerror}).") from None
        try:
            if not os.access(self.folder, os.W_OK):
                raise UsageError(f"Only root may write {self.folder}: run this with sudo.")
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise UsageError("Another installation is under way: wait for its end.") from None
        finally:
            os.close(descriptor)

    def new_folder(self, label: str) -> Path:
        """An empty folder for an exporter that is about to be unpacked."""
        return Path(tempfile.mkdtemp(prefix=f"{label}-", dir=self.folder))

    def use(self, exporter: Path) -> str | None:
        """Have the service use an unpacked exporter; return the label of the former one.

        All others are removed, those of interrupted installations too.
        """
        os.sync()  # a link that survives a power cut must not lead to files that did not
        current = self._target(_CURRENT)
        if current:
            self._point(_FORMER, current)
        self._point(_CURRENT, exporter.name)
        for path in self.folder.iterdir():
            if not path.is_symlink() and path.name not in (current, exporter.name):
                shutil.rmtree(path)
        return _label(current) if current else None

    def roll_back(self) -> str:
        """Have the service use the former exporter; return its label. Twice is no change."""
        current, former = self._target(_CURRENT), self._target(_FORMER)
        if not current or not former or current == former:
            raise UsageError("There is no former exporter to go back to.")
        self._point(_CURRENT, former)
        self._point(_FORMER, current)
        return _label(former)

    def _target(self, link: str) -> str | None:
        try:
            return os.readlink(self.folder / link)
        except FileNotFoundError:
            return None

    def _point(self, link: str, name: str) -> None:
        draft = self.folder / f"{link}.new"
        draft.unlink(missing_ok=True)
        draft.symlink_to(name)
        draft.replace(self.folder / link)


def _label(name: str) -> str:
    return name.rpartition("-")[0]

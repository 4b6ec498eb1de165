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
# Lies in the folder and in each exporter's own: what has none is not ours, and is never removed.
MARK = ".discord-poller-exporter"
_MARK_WORDS = "This folder belongs to `discord-poller install-exporter`, which may remove it.\n"


class InstalledExporters:
    """`folder` holds a folder for each exporter and two links to them: current and former."""

    def __init__(self, folder: Path, *, is_the_services: bool = False) -> None:
        self.folder = folder
        # The first release marked nothing, and installed here unless it was told otherwise.
        self._may_lack_marks = is_the_services

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
            self._take_possession()
            yield
        except BlockingIOError:
            raise UsageError("Another installation is under way: wait for its end.") from None
        finally:
            os.close(descriptor)

    def new_folder(self, label: str) -> Path:
        """A folder for an exporter that is about to be unpacked, empty but for our mark."""
        made = Path(tempfile.mkdtemp(prefix=f"{label}-", dir=self.folder))
        _mark(made)
        return made

    def use(self, exporter: Path) -> str | None:
        """Have the service use an unpacked exporter; return the label of the former one.

        All others of ours are removed, those of interrupted installations too.
        """
        os.sync()  # a link that survives a power cut must not lead to files that did not
        current = self._target(_CURRENT)
        if current:
            self._point(_FORMER, current)
        self._point(_CURRENT, exporter.name)
        for path in self.folder.iterdir():
            if path.name not in (current, exporter.name) and _is_marked(path):
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

    def _take_possession(self) -> None:
        """Mark the folder as ours; raise UsageError where it is somebody else's."""
        if _is_marked(self.folder):
            return
        linked = {name for link in (_CURRENT, _FORMER) if (name := self._target(link))}
        if self._may_lack_marks and linked:
            for name in linked:
                _mark(self.folder / name)
        elif any(self.folder.iterdir()):
            raise UsageError(
                f"{self.folder} holds something that install-exporter has not put there: name an "
                "empty folder."
            )
        _mark(self.folder)

    def _target(self, link: str) -> str | None:
        """The name of the folder that the link leads to, which lies beside it."""
        path = self.folder / link
        if not os.path.lexists(path):
            return None
        if not path.is_symlink() or not _is_folder((name := os.readlink(path)), self.folder):
            raise UsageError(f"{path} is no link to an installed exporter: remove it.")
        return name

    def _point(self, link: str, name: str) -> None:
        draft = self.folder / f"{link}.new"
        draft.unlink(missing_ok=True)
        draft.symlink_to(name)
        draft.replace(self.folder / link)


def _is_folder(name: str, beside: Path) -> bool:
    path = beside / name
    return path.name == name != ".." and path.is_dir() and not path.is_symlink()


def _is_marked(folder: Path) -> bool:
    return not folder.is_symlink() and (folder / MARK).is_file()


def _mark(folder: Path) -> None:
    (folder / MARK).write_text(_MARK_WORDS, encoding="utf-8")


def _label(name: str) -> str:
    return name.rpartition("-")[0]

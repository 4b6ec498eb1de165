"""Unpacks the exporter's archive: nothing leaves its folder, nothing is a link, nothing swells."""

import lzma
import shutil
import stat
import struct
import warnings
import zlib
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from messages_app.errors import ArchiveRefused
from messages_app.installing.release import ARCHITECTURES, PROGRAM

# The real archives have some 250 files of 90 MB together.
MAX_FILES = 5000
MAX_UNPACKED_BYTES = 1024**3
# RuntimeError is an encrypted entry, or a kind of compression that Python lacks; IndexError is an
# entry with an empty name, struct.error one that is cut, and UserWarning two that overlap.
_BROKEN = (
    *(BadZipFile, UserWarning, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, ValueError, RuntimeError, IndexError, OverflowError),
)
_ELF_MAGIC = b"\x7fELF"
_ELF_MACHINE = slice(18, 20)


def unpack(archive: IO[bytes], folder: Path, machine: str) -> None:
    """Unpack the archive into an empty folder, the program executable, all readable to all.

    Raise ArchiveRefused where it is no exporter for `machine` (as `uname -m` names it), or where
    one of its names or sizes is not what an honest archive has. The folder is then of no use.
    """
    try:
        with warnings.catch_warnings(), ZipFile(archive) as opened:
            warnings.simplefilter("error", UserWarning)
            entries = opened.infolist()
            _check_sizes(entries)
            for entry in entries:
                _unpack_entry(opened, entry, folder)
    except _BROKEN as error:
        raise ArchiveRefused(f"The archive is not a whole ZIP file ({error}).") from None
    except OSError as error:
        raise ArchiveRefused(f"The archive cannot be unpacked ({error.strerror}).") from None
    folder.chmod(0o755)
    _check_program(folder / PROGRAM, machine)
    (folder / PROGRAM).chmod(0o755)


def _check_sizes(entries: list[ZipInfo]) -> None:
    if len(entries) > MAX_FILES:
        raise ArchiveRefused(f"The archive has {len(entries)} files, which the exporter has not.")
    # Entries that hold more than they say are refused as broken when they are read.
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise ArchiveRefused(
            f"The archive unpacks to more than {MAX_UNPACKED_BYTES // 1024**2} MiB, which the "
            "exporter does not."
        )


def _unpack_entry(opened: ZipFile, entry: ZipInfo, folder: Path) -> None:
    path = folder / _path_of(entry)
    parent = path if entry.is_dir() else path.parent
    parent.mkdir(parents=True, exist_ok=True)
    if not entry.is_dir():
        with opened.open(entry) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target)
        path.chmod(0o644)
    for made in (parent, *parent.parents):
        if made == folder:
            break
        made.chmod(0o755)


def _path_of(entry: ZipInfo) -> PurePosixPath:
    """The path of an entry below the folder; raise ArchiveRefused where it would lie elsewhere."""
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
        raise ArchiveRefused(f"The archive has a file outside of its folder ({entry.filename!r}).")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveRefused(
            f"The archive has a link or a device ({entry.filename!r}), which the exporter has not."
        )
    return path


def _check_program(program: Path, machine: str) -> None:
    if not program.is_file():
        raise ArchiveRefused(
            f"The archive has no {PROGRAM} in it: take the one whose name begins with {PROGRAM} "
            "and ends with this machine's kind."
        )
    with program.open("rb") as file:
        head = file.read(_ELF_MACHINE.stop)
    if head.startswith(b"#!"):
        return
    architecture = ARCHITECTURES.get(machine)
    built_for = int.from_bytes(head[_ELF_MACHINE], "little")
    if not head.startswith(_ELF_MAGIC) or (architecture and built_for != architecture.elf_machine):
        raise ArchiveRefused(
            f"The archive holds a program that this machine ({machine}) cannot run."
        )

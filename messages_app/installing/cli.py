"""The command line of the installation, and its steps: fetch, verify, unpack, switch."""

import argparse
import hashlib
import hmac
import os
import re
import shutil
import sys
import tempfile
from io import BufferedRandom
from pathlib import Path
from typing import IO

from messages_app.errors import ArchiveRefused, PollerError, UsageError
from messages_app.installing.archive import unpack
from messages_app.installing.download import copy_bounded, fetch
from messages_app.installing.installed import FOLDER, InstalledExporters
from messages_app.installing.release import (
    PINNED_VERSION,
    archive_url,
    checked_version,
    release_page,
)

# What the shell calls the end by Ctrl+C.
_INTERRUPTED = 130


def main(argv: list[str]) -> int:
    """Run with the words after the command's name; print one line; return the exit status."""
    try:
        print(_run(_parser().parse_args(argv)))
    except PollerError as error:
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("\nInterrupted: nothing was installed.", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="discord-poller install-exporter",
        description=(
            "Installs DiscordChatExporter where the service finds it: fetches the release for this "
            "machine, or takes an archive, and unpacks it once its SHA-256 is verified. "
            "Example: install-exporter --from DiscordChatExporter.Cli.linux-x64.zip"
        ),
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--from", dest="file", metavar="FILE", help="an archive that you have")
    source.add_argument("--url", help="where to fetch the archive instead")
    source.add_argument("--rollback", action="store_true", help="go back to the former exporter")
    parser.add_argument(
        "--version", metavar="V", help=f"the release; {PINNED_VERSION} if not given"
    )
    parser.add_argument(
        "--sha256", metavar="HEX", help="the archive's digest; without it you are asked to confirm"
    )
    parser.add_argument(
        "--folder", default=str(FOLDER), metavar="DIR", help=f"install here, not in {FOLDER}"
    )
    return parser


def _run(options: argparse.Namespace) -> str:
    _check_names(options)
    folder = Path(options.folder)
    exporters = InstalledExporters(folder, is_the_services=folder.absolute() == FOLDER)
    os.umask(0o022)
    if options.rollback:
        with exporters.locked():
            return f"The exporter is {exporters.roll_back()} again."
    expected = _expected_digest(options.sha256)
    version = _version(options)
    with exporters.locked(), tempfile.TemporaryFile(dir=exporters.folder) as archive:
        source = _obtain(options, version, archive)
        _verify(archive, expected, source, release_page(version))
        unpacked = exporters.new_folder(version or "archive")
        try:
            unpack(archive, unpacked, os.uname().machine)
        except BaseException:
            shutil.rmtree(unpacked)
            raise
        former = exporters.use(unpacked)
    kept = f"; the former one ({former}) is kept for --rollback" if former else ""
    return f"Installed the exporter{f' {version}' if version else ''} from {source}{kept}."


def _check_names(options: argparse.Namespace) -> None:
    """Raise UsageError for an option that was given nothing, such as a variable that is not set."""
    named = {"--from": options.file, "--url": options.url, "--folder": options.folder}
    for option, given in named.items():
        if given == "":
            raise UsageError(f"{option} needs a name.")


def _version(options: argparse.Namespace) -> str | None:
    """The version of the archive, None for one of the operator's that they did not tell of."""
    if options.version is not None:
        return checked_version(options.version)
    return None if options.file or options.url else PINNED_VERSION


def _expected_digest(typed: str | None) -> str | None:
    """The digest that the operator gave, or None where they will be asked; raise UsageError."""
    if typed is None:
        if not sys.stdin.isatty():
            raise UsageError(
                "Nobody is there to confirm the archive's SHA-256: give it with --sha256."
            )
        return None
    digest = typed.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise UsageError("--sha256 must be 64 hexadecimal digits.")
    return digest


def _obtain(options: argparse.Namespace, version: str | None, archive: IO[bytes]) -> str:
    """Write the archive into a file of our own; return what it was read from."""
    if options.file:
        try:
            with open(options.file, "rb") as file:
                copy_bounded(file, archive)
        except OSError as error:
            raise UsageError(f"{options.file} cannot be read ({error.strerror}).") from None
        return str(options.file)
    url: str = options.url or archive_url(version or PINNED_VERSION, os.uname().machine)
    print(f"Fetching {url}", file=sys.stderr)
    fetch(url, archive)
    return url


def _verify(archive: BufferedRandom, expected: str | None, source: str, page: str) -> None:
    """Raise ArchiveRefused unless the archive has the expected digest, or the operator says so."""
    archive.seek(0)
    digest = hashlib.file_digest(archive, "sha256").hexdigest()
    if expected is not None:
        if not hmac.compare_digest(digest, expected):
            raise ArchiveRefused(
                f"{source} has the SHA-256 {digest}, which is not the one that you gave: fetch it "
                "again, or find out who changed it; nothing was installed."
            )
        return
    print(f"SHA-256: {digest}\nCompare it with the one on {page}", file=sys.stderr)
    print("Are they the same? Type yes: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("yes", "y"):
        raise ArchiveRefused("The archive's SHA-256 was not confirmed: nothing was installed.")

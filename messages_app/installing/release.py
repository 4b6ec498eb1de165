"""Which release of the exporter this machine needs, and where it is to be had."""

import re
from typing import NamedTuple

from messages_app.errors import UsageError

# The release that messages_app/exporter/command.py was written against.
PINNED_VERSION = "2.47"
PROGRAM = "DiscordChatExporter.Cli"
_RELEASES = "https://github.com/Tyrrrz/DiscordChatExporter/releases"


class Architecture(NamedTuple):
    """A kind of machine: its name in the releases, and in the head of its programs (ELF)."""

    release: str
    elf_machine: int


# By the machine's name as `uname -m` prints it.
ARCHITECTURES = {
    "x86_64": Architecture("linux-x64", 62),
    "aarch64": Architecture("linux-arm64", 183),
    "armv7l": Architecture("linux-arm", 40),
}


def checked_version(text: str) -> str:
    """Given a version as typed, return it without a leading v; raise UsageError."""
    version = text.removeprefix("v")
    if not re.fullmatch(r"[0-9]+(\.[0-9]+){1,3}", version, re.ASCII):
        raise UsageError(f"--version {text!r} is not a version: write it as {PINNED_VERSION}.")
    return version


def archive_url(version: str, machine: str) -> str:
    """The address of the archive for a machine; raise UsageError where no release has one."""
    if machine not in ARCHITECTURES:
        raise UsageError(
            f"There is no release of {PROGRAM} for this machine ({machine}): "
            "name an archive of your own with --from."
        )
    return f"{_RELEASES}/download/{version}/{PROGRAM}.{ARCHITECTURES[machine].release}.zip"


def release_page(version: str | None) -> str:
    """The page that shows the SHA-256 of each archive of a release, or of all releases."""
    return f"{_RELEASES}/tag/{version}" if version else _RELEASES

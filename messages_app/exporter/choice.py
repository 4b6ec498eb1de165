"""Which exporter is used, and why."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from messages_app.discord.names import Names
from messages_app.environment import Settings
from messages_app.exporter.command import program_name
from messages_app.exporter.export import Exporter
from messages_app.exporter.process import Program

# What POLLER_EXPORTER is set to for the built-in exporter.
BUILTIN = "builtin"
# The program that is used where it is installed and nothing is set.
PROGRAM = "DiscordChatExporter.Cli"


@dataclass(frozen=True)
class Choice:
    """`command` is a program's command line, "" for the built-in exporter."""

    command: str
    why: str

    @property
    def is_builtin(self) -> bool:
        return not self.command

    @property
    def name(self) -> str:
        """What records call it; without a program's arguments, where somebody may put a token."""
        try:
            return program_name(self.command) if self.command else BUILTIN
        except (ValueError, IndexError):
            return "POLLER_EXPORTER, which cannot be understood"

    def __str__(self) -> str:
        return f"{self.command or 'the built-in exporter'} ({self.why})"


def choice(settings: Settings) -> Choice:
    """The exporter that is used with these settings on this host."""
    if settings.exporter == BUILTIN:
        return Choice("", "POLLER_EXPORTER says so")
    if settings.exporter:
        return Choice(settings.exporter, "POLLER_EXPORTER says so")
    if shutil.which(PROGRAM):
        return Choice(PROGRAM, "it is installed, and POLLER_EXPORTER is not set")
    return Choice("", f"{PROGRAM} is not installed, and POLLER_EXPORTER is not set")


def exporter_of(
    settings: Settings,
    folder: Path,
    environ: Mapping[str, str],
    clock: Callable[[], datetime],
    names: Callable[[datetime], Names],
) -> Exporter:
    """The exporter for one run that exports into `folder`; raise ConfigurationError.

    `names` are fetched for the built-in exporter only.
    """
    chosen = choice(settings)
    if not chosen.is_builtin:
        return Program(chosen.command, settings, folder, environ)
    # The libraries for TLS and HTTP cost as much as a bare command.
    from messages_app.exporter.builtin import Builtin

    return Builtin(settings, folder, environ, clock, names(clock()))

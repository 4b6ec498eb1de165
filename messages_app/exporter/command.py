"""How the exporter is called: its program, its arguments and its environment.

Written for DiscordChatExporter.Cli 2.45 and later. One channel per run, since with several it exits
0 although some failed.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from messages_app.errors import ConfigurationError
from messages_app.exporter.failures import SHELL_NAME
from messages_app.windows import Window, to_milliseconds

# What is ours and not for the exporter, besides POLLER_….
_OWN_VARIABLES = (
    "DATABASE_URL",
    "DISCORD_TOKEN_FILE",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "PGPASSWORD",
    "PGPASSFILE",
)


def export_arguments(channel_id: int, window: Window, output: Path) -> list[str]:
    """The exporter's arguments for one window of one channel.

    Bounds are floored to the millisecond by the exporter: the upper one is raised to the next.
    `%` begins a template token in `--output`. `--markdown false` keeps the text as typed, or else
    a rename would look like an edit of all messages that mention the user.
    """
    after, before = to_milliseconds(window.start), to_milliseconds(window.end)
    if before < window.end:
        before += timedelta(milliseconds=1)
    return [
        "export",
        *("--channel", str(channel_id)),
        *("--after", after.isoformat(timespec="milliseconds")),
        *("--before", before.isoformat(timespec="milliseconds")),
        *("--format", "Json"),
        *("--output", str(output).replace("%", "%%")),
        "--utc",
        *("--markdown", "false"),
    ]


def exporter_command(line: str) -> list[str]:
    """The words that start the exporter of POLLER_EXPORTER; raise ConfigurationError."""
    try:
        words = shlex.split(line)
    except ValueError:
        raise ConfigurationError(
            "POLLER_EXPORTER has an unclosed quotation mark: correct it."
        ) from None
    if not words:
        raise ConfigurationError("POLLER_EXPORTER names no program: correct it.")
    program = shutil.which(words[0])
    if program is None:
        # Without its arguments, among which somebody may have put the token.
        raise ConfigurationError(
            f"The exporter {words[0]!r} cannot be found or executed: install "
            "DiscordChatExporter.Cli or set POLLER_EXPORTER to its path."
        )
    return [*_guard(), program, *words[1:]]


def program_name(line: str) -> str:
    """The file's name of the program of POLLER_EXPORTER; its arguments are nobody's business."""
    return os.path.basename(shlex.split(line)[0])


def _guard() -> list[str]:
    """What has the kernel end the exporter if this process is killed and cannot do so itself.

    Where it was killed before the kernel was told, the shell sees another parent, and stops. And
    where memory runs out, the exporter is to be killed, not who stores what others export.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    script = (
        f'[ "$PPID" = {os.getpid()} ] || exit 1; '
        "{ echo 1000 > /proc/$$/oom_score_adj; } 2> /dev/null; "
        'exec "$@"'
    )
    return [setpriv, "--pdeathsig", "KILL", "--", "/bin/sh", "-c", script, SHELL_NAME]


def exporter_environment(environ: Mapping[str, str], token: str) -> dict[str, str]:
    """The environment of the exporter: ours without our own settings, with the token."""
    own = {
        name: value
        for name, value in environ.items()
        if not name.startswith("POLLER_") and name not in _OWN_VARIABLES
    }
    return own | {
        "DISCORD_TOKEN": token,
        "FUCK_RUSSIA": "1",  # silences a banner
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",  # or else .NET wants libicu
        "DOTNET_EnableDiagnostics": "0",  # no sockets in /tmp
    }

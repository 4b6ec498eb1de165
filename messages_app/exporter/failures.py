"""What an ended exporter means: its exit status, and the reason in its standard error.

DiscordChatExporter.Cli exits with 0 or 1 only, so the reason of a failure is read from its words.
"""

from __future__ import annotations

import re
import signal

from messages_app.errors import ConfigurationError, ExporterFailed, PollerError, TokenRefused

# How much of the exporter's own words a sentence quotes.
QUOTE_CHARACTERS = 200

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# How the shell that starts the exporter ends where it cannot: missing interpreter, not permitted.
_NOT_EXECUTED = (126, 127)
SHELL_NAME = "discord-poller"


def explanation(status: int, stderr: str) -> PollerError | None:
    """Given an exporter's exit status (negative: the signal that killed it) and its words, the
    token taken out, tell what happened and what to do; None where it succeeded.
    """
    if status == 0:
        return None
    if status < 0:
        return ExporterFailed(
            f"The exporter was killed by signal {-status} ({signal.strsignal(-status)}): the "
            "window will be read again."
        )
    if status in _NOT_EXECUTED and stderr.startswith(f"{SHELL_NAME}: "):
        said = _plain(stderr.splitlines()[0].rpartition("exec: ")[2])
        return ConfigurationError(
            f"The exporter cannot be executed («{said}»): check POLLER_EXPORTER."
        )
    lowered = stderr.lower()
    if "authentication token is invalid" in lowered or "unauthorized" in lowered:
        return TokenRefused(
            "Discord refused the token: put a valid one in its place, then run "
            "`poll_recent_messages --now`."
        )
    if "' failed: not found" in lowered:
        return ExporterFailed(
            "Discord knows no such channel, or the token's account cannot see it: check the "
            "channel id and the account's access."
        )
    if "' failed: forbidden" in lowered:
        return ExporterFailed(
            "Discord forbids the token's account to read the channel: give it the permissions "
            "View Channel and Read Message History."
        )
    said = _telling_line(stderr)
    quote = f" and said «{said}»" if said else ""
    return ExporterFailed(
        f"The exporter exited with status {status}{quote}: the window will be read again; if this "
        "repeats, run the exporter by hand."
    )


def _telling_line(stderr: str) -> str:
    """The first line that tells of a failure and is no heading, or "" where none does."""
    for line in map(_plain, stderr.splitlines()):
        if ("fail" in line.lower() or "error" in line.lower()) and not line.endswith(":"):
            return line
    return ""


def _plain(line: str) -> str:
    """The beginning of `line`, without colours and other control characters."""
    text = _COLOUR.sub("", line)
    text = "".join(char if char.isprintable() else " " for char in text)
    return text.strip()[:QUOTE_CHARACTERS]

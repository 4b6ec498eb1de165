"""The exporter as a process: its command line, environment, time limit and end.

Written for DiscordChatExporter.Cli 2.45 and later. One channel per run, since with several it exits
0 although some failed.
"""

from __future__ import annotations

import os
import resource
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from messages_app.environment import Settings
from messages_app.errors import ConfigurationError, PollerError, TimeLimitReached
from messages_app.exporter_words import SHELL_NAME, explanation
from messages_app.windows import Window, to_milliseconds

# How much of the exporter's standard error is kept: the end, where the reason stands.
STDERR_TAIL_BYTES = 16 * 1024

_OWN_VARIABLES = (
    "DATABASE_URL",
    "DISCORD_TOKEN_FILE",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "PGPASSWORD",
    "PGPASSFILE",
)


# The process groups of the exporters that run, for a process that cannot end in order.
_groups: set[int] = set()


class Exporter:
    """The configured exporter with its token; starts exports into `folder`."""

    def __init__(self, settings: Settings, folder: Path, environ: Mapping[str, str]) -> None:
        """Raise ConfigurationError where there is no exporter or no token."""
        self._command = exporter_command(settings.exporter)
        token = settings.token()
        if token is None:
            raise ConfigurationError(
                "No Discord token is configured: put it into the file that DISCORD_TOKEN_FILE "
                "names, or on a server into /etc/discord-poller/discord-token."
            )
        self._token = token
        self._environment = exporter_environment(environ, token)
        self._folder = folder
        self._time_limit_s = settings.export_timeout_s
        self._count = 0
        # Whatever dumps core from here on, the exporter included, would dump the token with it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def start(self, channel_id: int, window: Window) -> Export:
        """Start the export of one channel's window; raise ConfigurationError if it cannot start."""
        self._count += 1
        output = self._folder / f"{self._count}-{channel_id}.json"
        arguments = [*self._command, *export_arguments(channel_id, window, output)]
        try:
            return Export(arguments, self._environment, output, self._time_limit_s, self._token)
        except OSError as error:
            raise ConfigurationError(
                f"The exporter cannot be started ({error.strerror}): check POLLER_EXPORTER."
            ) from None


class Export:
    """One running or ended export. `output` is its file, which may be missing, cut or wrong."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        output: Path,
        time_limit_s: float,
        token: str,
    ) -> None:
        self.output = output
        self.seconds = 0.0
        self._time_limit_s = time_limit_s
        self._token = token
        self._timed_out = False
        self._stderr = b""
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        _groups.add(self._process.pid)
        self._pidfd = os.pidfd_open(self._process.pid)
        assert self._process.stderr is not None
        os.set_blocking(self._process.stderr.fileno(), False)

    @property
    def deadline(self) -> float:
        """The instant of `time.monotonic()` at which the time limit is reached."""
        return self._started + self._time_limit_s

    def age_s(self) -> float:
        """Seconds since the export was started."""
        return time.monotonic() - self._started

    def end(self) -> None:
        """End the exporter and all that it started, at once; harmless where it has ended."""
        if self._pidfd < 0:
            return
        _kill_group(self._process.pid)
        self._process.wait()
        _groups.discard(self._process.pid)
        assert self._process.stderr is not None
        self._read_stderr()
        self._process.stderr.close()
        os.close(self._pidfd)
        self._pidfd = -1
        self.seconds = self.age_s()

    def failure(self) -> PollerError | None:
        """What went wrong with the process, or None where it exited 0; call it after the end."""
        if self._timed_out:
            return TimeLimitReached(
                f"The export took longer than {self._time_limit_s:g} s and was ended: the next "
                "poll asks for less at once; raise POLLER_EXPORT_TIMEOUT if this repeats."
            )
        stderr = self._stderr.decode(errors="replace").replace(self._token, "[token]")
        return explanation(self._process.returncode, stderr)

    def _read_stderr(self) -> bool:
        """Take in what the exporter said; return False once it can say no more."""
        assert self._process.stderr is not None
        try:
            while data := os.read(self._process.stderr.fileno(), 65536):
                self._stderr = _tail(self._stderr + data)
        except BlockingIOError:
            return True
        return False


def kill_all() -> None:
    """Kill every exporter of this process and all that it started; from any thread."""
    for group in list(_groups):
        _kill_group(group)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def run_side_by_side(
    next_export: Callable[[], Export | None], finished: Callable[[Export], None], most: int
) -> None:
    """Run the exports that `next_export` starts, at most `most` at a time, until it has no more.

    `finished` is called with each ended export. However this ends, no exporter is left running.
    """
    running: list[Export] = []
    try:
        while True:
            while len(running) < most and (export := next_export()):
                running.append(export)
            if not running:
                return
            for export in wait_for_any(running):
                running.remove(export)
                finished(export)
    finally:
        for export in running:
            export.end()


def wait_for_any(exports: Sequence[Export]) -> list[Export]:
    """Wait until exports have ended or reached their time limit; return those, all ended."""
    poll = select.poll()
    ends = {export._pidfd: export for export in exports}
    talks = {}
    for export in exports:
        assert export._process.stderr is not None
        poll.register(export._pidfd, select.POLLIN)
        poll.register(export._process.stderr, select.POLLIN)
        talks[export._process.stderr.fileno()] = export
    finished: list[Export] = []
    while not finished:
        patience_s = min(export.deadline for export in exports) - time.monotonic()
        for descriptor, _event in poll.poll(max(patience_s * 1000, 0)):
            if descriptor in ends:
                finished.append(ends[descriptor])
            elif not talks[descriptor]._read_stderr():
                poll.unregister(descriptor)
        for export in exports:
            if export not in finished and export.deadline <= time.monotonic():
                export._timed_out = True
                finished.append(export)
    for export in finished:
        export.end()
    return finished


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


def _guard() -> list[str]:
    """What has the kernel end the exporter if this process is killed and cannot do so itself.

    Where it was killed before the kernel was told, the shell sees another parent, and stops.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    check = f'[ "$PPID" = {os.getpid()} ] || exit 1; exec "$@"'
    return [setpriv, "--pdeathsig", "KILL", "--", "/bin/sh", "-c", check, SHELL_NAME]


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


def _tail(text: bytes) -> bytes:
    """The last whole lines: in a part of one, part of the token could not be recognised."""
    if len(text) <= STDERR_TAIL_BYTES:
        return text
    _part, _newline, lines = text[-STDERR_TAIL_BYTES:].partition(b"\n")
    return lines

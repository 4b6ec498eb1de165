"""The exporter as a process of its own: its start, its words and its end."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import resource
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from messages_app.environment import Settings
from messages_app.errors import (
    ConfigurationError,
    ExportUnusable,
    NoRoom,
    PollerError,
    Unproved,
)
from messages_app.exporter.command import (
    export_arguments,
    exporter_command,
    exporter_environment,
    program_name,
)
from messages_app.exporter.export import (
    NOTHING_MORE,
    Demand,
    Export,
    Exporter,
    Stored,
    discard_document,
    open_document,
)
from messages_app.exporter.failures import cut_short, explanation
from messages_app.exporter.proof import NO_LATER_MESSAGE, is_proved_empty, probes, told_part
from messages_app.snowflakes import id_in
from messages_app.windows import Window

# How much of the exporter's standard error is kept: the end, where the reason stands.
STDERR_TAIL_BYTES = 16 * 1024

# How often a probe's document is looked at, and how much of it: messages follow a short head.
_LOOK_EVERY_S = 0.2
_HEAD_BYTES = 64 * 1024
# In the exporter's own texts, quotation marks have a backslash before them.
_NO_MESSAGE = re.compile(rb'(?<!\\)"messages"\s*:\s*\[\s*\]')
_A_MESSAGE = re.compile(rb'(?<!\\)"messages"\s*:\s*\[\s*\{(?:\s*"id"\s*:\s*"(\d{1,19})")?')

# Of processes, descriptors, memory.
_NO_ROOM = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_PR_SET_DUMPABLE = 4

# The process groups of the exporters that run, for a process that cannot end in order.
_groups: set[int] = set()


class Program(Exporter):
    """A program with its token, called by `command`; starts exports into `folder`."""

    def __init__(
        self, command: str, settings: Settings, folder: Path, environ: Mapping[str, str]
    ) -> None:
        """Raise ConfigurationError where there is no exporter or no token."""
        self._command = exporter_command(command)
        self.name = program_name(command)
        self._token = token_of(settings)
        self._environment = exporter_environment(environ, self._token)
        self._folder = folder
        self._time_limit_s = settings.export_timeout_s
        self._count = 0
        guard_memory()

    def start(self, channel_id: int, window: Window, demand: Demand = NOTHING_MORE) -> Export:
        self._count += 1
        output = self._folder / f"{self._count}-{channel_id}.json"

        def call(window: Window, output: Path) -> Call:
            arguments = [*self._command, *export_arguments(channel_id, window, output)]
            try:
                return Call(arguments, self._environment)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    raise NoRoom(error.strerror or "") from None
                raise ConfigurationError(
                    f"The exporter cannot be started ({error.strerror}): check POLLER_EXPORTER."
                ) from None

        question = Question(channel_id, window, demand)
        return ProgramExport(call, question, output, self._time_limit_s, self._token)


class Call:
    """One process of the program; `returncode` is None before its `end`."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.stderr = b""
        self._is_silent = False
        self._process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        _groups.add(self._process.pid)
        assert self._process.stderr is not None
        try:
            self._pidfd = os.pidfd_open(self._process.pid)
        except OSError:
            _kill_group(self._process.pid)
            self._process.wait()
            self._process.stderr.close()
            _groups.discard(self._process.pid)
            raise
        os.set_blocking(self._process.stderr.fileno(), False)

    @property
    def returncode(self) -> int:
        """The exit status, negative the signal that killed it; call it after the end."""
        return self._process.returncode

    def descriptors(self) -> list[int]:
        assert self._process.stderr is not None
        return [self._pidfd, *([] if self._is_silent else [self._process.stderr.fileno()])]

    def has_exited(self) -> bool:
        """Whether it has; else take in what it said."""
        # Not taken note of yet: its group has its number until then.
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if self._pidfd < 0 or os.waitid(os.P_PIDFD, self._pidfd, how):
            return True
        self._is_silent = not self._read_stderr()
        return False

    def end(self) -> None:
        """End it and all that it started, at once; harmless where it has ended."""
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

    def _read_stderr(self) -> bool:
        """Take in what the exporter said; return False once it can say no more."""
        assert self._process.stderr is not None
        try:
            while data := os.read(self._process.stderr.fileno(), 65536):
                self.stderr = _tail(self.stderr + data)
        except BlockingIOError:
            return True
        return False


class Question(NamedTuple):
    """What an export is to answer."""

    channel_id: int
    window: Window
    demand: Demand


class ProgramExport(Export):
    """An export by a program, and the probes that its emptiness needs to be believed."""

    def __init__(
        self,
        call: Callable[[Window, Path], Call],
        question: Question,
        output: Path,
        time_limit_s: float,
        token: str,
    ) -> None:
        super().__init__(output, time_limit_s)
        self._call = call
        self._question = question
        self._token = token
        self._main = self._current = call(question.window, output)
        self._probes: Iterator[Window] = iter(())
        self._probe_output = output.with_name(f"probe-{output.name}")
        self._stored: Stored | None = None
        self._is_one_shown = False

    def descriptors(self) -> list[int]:
        return self._current.descriptors()

    def attend(self, descriptor: int) -> bool:
        if not self._current.has_exited():
            return False
        self._current.end()
        return not self._goes_on()

    @property
    def look_every_s(self) -> float:  # type: ignore[override]
        return 0.0 if self._current is self._main else _LOOK_EVERY_S

    def look(self) -> bool:
        """A probe is over as soon as there is one message in its document."""
        found = self._current is not self._main and _found(self._probe_output, _A_MESSAGE)
        if found:
            self._is_one_shown = True
            self.shown_id = id_in((found[1] or b"").decode())
        return self._is_one_shown

    def end(self) -> None:
        if not self.seconds:
            self._current.end()
            self.seconds = self.age_s()
            discard_document(self._probe_output)

    def failure(self) -> PollerError | None:
        stderr = self._words()
        if self.timed_out and self._current is self._main:
            return cut_short(self._time_limit_s, stderr, has_begun=self._has_begun())
        failed = explanation(self._main.returncode, stderr)
        if failed or self._stored is None:
            return failed
        is_proved = is_proved_empty(
            is_said=NO_LATER_MESSAGE in stderr,
            is_one_stored=self._stored.is_inside,
            is_one_shown=self._is_one_shown,
        )
        return None if is_proved else Unproved()

    @property
    def is_readable(self) -> bool:
        return self._is_one_shown

    def told_part(self, window: Window, count: int, last_at: datetime | None) -> Window:
        return told_part(window, count, last_at)

    def _words(self) -> str:
        return self._main.stderr.decode(errors="replace").replace(self._token, "[token]")

    def _goes_on(self) -> bool:
        """Begin the next probe; return False where none is needed any more."""
        if self._current is self._main:
            if not self._must_be_proved():
                return False
        elif self.look():
            return False
        discard_document(self._probe_output)
        window = next(self._probes, None)
        if window is None:
            return False
        try:
            self._current = self._call(window, self._probe_output)
        except NoRoom:  # it stays unproved, and is asked again
            return False
        return True

    def _must_be_proved(self) -> bool:
        """Whether the document is good and empty, and nothing proves yet that the window is."""
        demand, words = self._question.demand, self._words()
        if demand.stored is None or not _found(self.output, _NO_MESSAGE):
            return False
        if explanation(self._main.returncode, words):
            return False
        self._stored = demand.stored()
        is_said = NO_LATER_MESSAGE in words
        if is_proved_empty(
            is_said=is_said, is_one_stored=self._stored.is_inside, is_one_shown=False
        ):
            return False
        channel_id, window, _demand = self._question
        until = None if is_said else demand.asked_at
        self._probes = probes(channel_id, window, self._stored.outside, until)
        return True

    def _has_begun(self) -> bool:
        """Whether a document is there, as from the moment on in which Discord has answered."""
        try:
            status = self.output.lstat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size > 0


def token_of(settings: Settings) -> str:
    """The configured token; raise ConfigurationError where there is none."""
    token = settings.token()
    if token is None:
        raise ConfigurationError(
            "No Discord token is configured: put it into the file that DISCORD_TOKEN_FILE "
            "names, or on a server into /etc/discord-poller/discord-token."
        )
    return token


def guard_memory() -> None:
    """Keep what this process knows from core dumps and from other processes of its user.

    The exporter is one: it could read the settings in our environment, such as the database's
    password, and our memory. Its own dump would hold the token, and is forbidden, too.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def kill_all() -> None:
    """Kill every exporter of this process and all that it started; from any thread."""
    for group in list(_groups):
        _kill_group(group)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _tail(text: bytes) -> bytes:
    """The last whole lines: in a part of one, part of the token could not be recognised."""
    if len(text) <= STDERR_TAIL_BYTES:
        return text
    _part, _newline, lines = text[-STDERR_TAIL_BYTES:].partition(b"\n")
    return lines


def _found(document: Path, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
    """Where a document begins so, as far as it is written."""
    try:
        with open_document(document) as file:
            return pattern.search(file.read(_HEAD_BYTES))
    except (ExportUnusable, OSError):
        return None

"""The built-in exporter: each export is a thread of this process that asks Discord itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from messages_app.discord.client import ApiError, Client, Ended, Patience
from messages_app.discord.export import ChannelExport, Range, Wanted
from messages_app.discord.guilds import NO_GUILD, Knowledge, why_not
from messages_app.discord.names import Names
from messages_app.discord.transport import parse_address
from messages_app.environment import Settings
from messages_app.errors import Bug, ConfigurationError, PollerError, TimeLimitReached
from messages_app.exporter.export import NOTHING_MORE, Demand, Export, Exporter
from messages_app.exporter.process import guard_memory, token_of
from messages_app.snowflakes import first_id
from messages_app.windows import Window

# How long a thread whose export was ended may take to notice it.
GOODBYE_S = 2.0


class Builtin(Exporter):
    """Discord's API as an exporter, for one run.

    `names` are those that are known; what is learned is added to them.
    """

    name = "builtin"

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        environ: Mapping[str, str],
        clock: Callable[[], datetime],
        names: Names,
    ) -> None:
        """Raise ConfigurationError where there is no token, or no way to Discord."""
        guard_memory()
        self.client = client_of(settings, environ)
        self.knowledge = Knowledge(self.client, names, clock)
        self._clock = clock
        self._folder = folder
        self._settings = settings
        self._count = 0

    @property
    def makes_demands_count(self) -> bool:
        return True

    def start(self, channel_id: int, window: Window, demand: Demand = NOTHING_MORE) -> Export:
        self._count += 1
        output = self._folder / f"{self._count}-{channel_id}.json"
        wanted = Wanted(
            str(channel_id),
            Range(first_id(window.start) - 1, first_id(window.end)),
            str(output),
            demand.expected,
            must_ask=demand.must_ask,
            reaction_users=self._settings.reaction_users,
        )
        time_limit_s = self._settings.export_timeout_s
        patience = Patience(time_limit_s)
        export = ChannelExport(self.client, self.knowledge, wanted, patience, self._clock)
        return ThreadExport(output, time_limit_s, export)

    def sees_contents(self) -> bool:
        with explained(self._settings.export_timeout_s) as patience:
            return self.knowledge.me(patience, age_s=0)[1]

    def access(self, channel_id: int) -> list[str]:
        with explained(self._settings.export_timeout_s) as patience:
            place = self.knowledge.place(str(channel_id), patience)
            return [] if place.guild_id == NO_GUILD else self.knowledge.granted(place, patience)

    def names(self) -> Names | None:
        return self.knowledge.names

    def close(self) -> None:
        self.client.close()


class ThreadExport(Export):
    """An export by a thread, which tells its end by a pipe."""

    def __init__(self, output: Path, time_limit_s: float, export: ChannelExport) -> None:
        super().__init__(output, time_limit_s)
        self._export = export
        self._failure: PollerError | None = None
        self._reader, self._writer = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def descriptors(self) -> list[int]:
        return [self._reader]

    def attend(self, descriptor: int) -> bool:
        return True

    def end(self) -> None:
        if self._reader < 0:
            return
        self._export.patience.end()
        self._thread.join(GOODBYE_S)
        os.close(self._reader)
        self._reader = -1
        self.seconds = self.age_s()

    def failure(self) -> PollerError | None:
        if self.timed_out or self._thread.is_alive():
            return _too_slow(self._time_limit_s)
        return self._failure

    @property
    def is_readable(self) -> bool:
        return self._export.proof.is_readable

    def proved(self, window: Window) -> Window | None:
        until = self._export.proof.until
        if until is None or until <= window.start or self._thread.is_alive():
            return None
        return Window(window.start, min(window.end, until))

    def _run(self) -> None:
        try:
            self._failure = self._export.run()
        except BaseException as error:
            # Told where the export is taken in, as any mistake of ours.
            self._failure = Bug(error)
        finally:
            with suppress(OSError):
                os.close(self._writer)


def client_of(settings: Settings, environ: Mapping[str, str]) -> Client:
    """Discord's API as the settings have it; raise ConfigurationError."""
    try:
        address = parse_address(settings.discord_api)
    except ValueError as error:
        raise ConfigurationError(f"POLLER_DISCORD_API {error}: correct it.") from None
    return Client(token_of(settings), address, environ, settings.calls_per_s)


@contextmanager
def explained(limit_s: float) -> Iterator[Patience]:
    """Calls that take `limit_s` at most; whatever Discord refuses is raised as a PollerError."""
    try:
        yield Patience(limit_s)
    except ApiError as error:
        raise why_not(error) from None
    except Ended:
        raise _too_slow(limit_s) from None


def _too_slow(limit_s: float) -> TimeLimitReached:
    return TimeLimitReached(
        f"The export took longer than {limit_s:g} s and was ended: the next poll asks for less at "
        "once; raise POLLER_EXPORT_TIMEOUT if this repeats."
    )

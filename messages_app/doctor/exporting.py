"""The exporter and the token: are they there, and does Discord accept them for each channel?"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta

from messages_app.database.names import load_names
from messages_app.discord.permissions import MISSING_INTENT
from messages_app.doctor.finding import Finding, bad, good, skipped
from messages_app.document.reader import ExportReader
from messages_app.environment import Settings
from messages_app.errors import (
    ConfigurationError,
    ExportUnusable,
    PollerError,
    TokenRefused,
    Unproved,
)
from messages_app.exporter.choice import choice, exporter_of
from messages_app.exporter.command import exporter_command, exporter_environment
from messages_app.exporter.export import Demand, Export, Exporter, Stored, run_side_by_side
from messages_app.exporter.failures import other_channel, quoted_words
from messages_app.exporter.proof import birth
from messages_app.inert import inert
from messages_app.models import Channel, Feed
from messages_app.polling.run_folder import Run
from messages_app.windows import Window, to_milliseconds

# What versions before these do.
OLDEST_VERSIONS = {
    (2, 45): "calls a window without messages a failure",
    (2, 47): "leaves out what a forwarded message says",
}
# A .NET program that is started for the first time takes a while.
VERSION_PATIENCE_S = 30


def check_exporter(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """Which exporter is used, is it found, can it be run, and is it new enough?"""
    chosen = choice(settings)
    if chosen.is_builtin:
        return good("exporter", str(chosen))
    try:
        command = exporter_command(chosen.command)
        said = subprocess.run(
            [*command, "--version"],
            env=exporter_environment(environ, ""),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_PATIENCE_S,
            check=False,
        )
    except ConfigurationError as error:
        return bad("exporter", str(error))
    except (OSError, subprocess.TimeoutExpired) as error:
        return bad(
            "exporter",
            f"{chosen.command} cannot be run ({type(error).__name__}): run "
            f"`{chosen.command} --version` by hand to see why.",
        )
    version = re.search(r"\d+(\.\d+)+", said.stdout)
    if said.returncode or not version:
        return bad(
            "exporter",
            f"{chosen.command} does not tell its version (status {said.returncode}"
            f"{quoted_words(said.stderr)}): run `{chosen.command} --version` by hand.",
        )
    for oldest, what_older_ones_do in OLDEST_VERSIONS.items():
        if tuple(map(int, version[0].split("."))) < oldest:
            return bad(
                "exporter",
                f"{chosen.command} is version {version[0]}: install 2.47 or later, for an older "
                f"one {what_older_ones_do}.",
            )
    return good("exporter", f"{chosen.command}, version {version[0]} ({chosen.why})")


def check_token(settings: Settings) -> Finding:
    """Is there a token? Where it is from is told, never what it is."""
    try:
        token = settings.token()
    except ConfigurationError as error:
        return bad("token", str(error))
    if token is None:
        return bad(
            "token",
            "No Discord token is configured: put it into the file that DISCORD_TOKEN_FILE names, "
            "or on a server into /etc/discord-poller/discord-token.",
        )
    return good("token", "there is one")


def channels_to_try(settings: Settings, now: datetime) -> list[int]:
    """The channels of all sessions that are not closed, and of POLLER_CHANNELS."""
    feeds = Feed.objects.filter(session__closed_at=None, session__end_time__gt=now)
    ids = feeds.order_by("session__start_time", "id").values_list("channel_id", flat=True)
    return list(dict.fromkeys([*ids, *settings.channels]))


def check_channels(
    settings: Settings, environ: Mapping[str, str], channel_ids: Sequence[int], now: datetime
) -> Iterator[Finding]:
    """Can each channel be exported? A real export of the last seconds, which is thrown away.

    It must show a message, or show that there is none: without the permission to read the history
    all channels look empty.
    """
    if not channel_ids:
        yield skipped(
            "channels", "no session is scheduled and POLLER_CHANNELS is empty: none to try"
        )
        return
    try:
        with Run.of(settings) as run:
            exporter = exporter_of(settings, run.folder, environ, lambda: now, load_names)
            with closing(exporter):
                yield from _examined(exporter, settings, channel_ids, now)
    except ConfigurationError as error:
        yield bad("channels", str(error))
    except OSError as error:
        yield bad(
            "channels",
            f"The state folder {settings.state_dir} cannot be used ({error.strerror}): check who "
            "may write it.",
        )


def _examined(
    exporter: Exporter, settings: Settings, channel_ids: Sequence[int], now: datetime
) -> Iterator[Finding]:
    # One goes first: a token that is refused must not be tried on all of them.
    for ids in (channel_ids[:1], channel_ids[1:]):
        failures = _tried(exporter, ids, _last_seconds(settings, now), settings.parallel)
        unproved = [each for each, failure in failures.items() if isinstance(failure, Unproved)]
        failures |= _tried(exporter, unproved, _whole_lives(now), settings.parallel)
        yield from (_channel_finding(each, failures[each], exporter) for each in ids)
        if any(isinstance(failure, TokenRefused) for failure in failures.values()):
            return
    yield from _intent(exporter)


# What to export of a channel, and what is taken to be stored of it.
_Question = Callable[[int], tuple[Window, Stored]]


def _last_seconds(settings: Settings, now: datetime) -> _Question:
    """Where no message is shown there, others are looked for back to the channel's birth."""
    end = to_milliseconds(now)
    window = Window(end - timedelta(seconds=settings.window_s), end)
    return lambda _channel_id: (window, Stored(is_inside=True))


def _whole_lives(now: datetime) -> _Question:
    """Of a channel that shows no message, whether it has none."""
    end = to_milliseconds(now)
    return lambda channel_id: (
        Window(min(birth(channel_id), end - timedelta(milliseconds=1)), end),
        Stored(is_inside=False),
    )


def _tried(
    exporter: Exporter, channel_ids: Sequence[int], question: _Question, most: int
) -> dict[int, PollerError | None]:
    waiting = list(channel_ids)
    channel_of: dict[Export, int] = {}
    failures: dict[int, PollerError | None] = {}

    def next_export() -> Export | None:
        if not waiting:
            return None
        channel_id = waiting.pop(0)
        window, stored = question(channel_id)
        demand = Demand(must_ask=True, stored=lambda: stored)
        export = exporter.start(channel_id, window, demand)
        channel_of[export] = channel_id
        return export

    def finished(export: Export) -> None:
        channel_id = channel_of[export]
        failures[channel_id] = export.failure() or _unusable(export, channel_id)

    run_side_by_side(next_export, finished, most)
    return failures


def _unusable(export: Export, channel_id: int) -> PollerError | None:
    """What is wrong with the file of an export that reported success."""
    try:
        with export.document() as stream:
            header = ExportReader(stream).header()
    except ExportUnusable as error:
        return error
    if header.channel_id != channel_id:
        return other_channel(channel_id, header.channel_id, header.category_id)
    return None


def _intent(exporter: Exporter) -> Iterator[Finding]:
    """May the bot read what messages say?"""
    try:
        sees = exporter.sees_contents()
    except PollerError as error:
        yield bad("bot", str(error))
        return
    if sees is not None:
        yield good("bot", "it may read what messages say") if sees else bad("bot", MISSING_INTENT)


def _channel_finding(channel_id: int, failure: PollerError | None, exporter: Exporter) -> Finding:
    channel = Channel.objects.filter(pk=channel_id).first()
    name = f"{channel_id} (#{inert(channel.name)})" if channel and channel.name else str(channel_id)
    if isinstance(failure, Unproved):
        return bad(
            "channel",
            f"{name} has messages and shows none: its reader may not read the history (give it the "
            "permission Read Message History), or all of them were deleted.",
        )
    try:
        if failure:
            raise failure
        may = exporter.access(channel_id)
    except PollerError as error:
        return bad("channel", f"{name}: {error}")
    has = f": the bot has {', '.join(may)}" if may else ""
    return good("channel", f"{name} can be exported{has}")

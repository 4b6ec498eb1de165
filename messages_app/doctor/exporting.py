"""The exporter and the token: are they there, and does Discord accept them for each channel?"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from messages_app.doctor.finding import Finding, bad, good, skipped
from messages_app.environment import Settings
from messages_app.errors import ConfigurationError, ExportUnusable, PollerError, TokenRefused
from messages_app.export_file import ExportReader
from messages_app.exporter import (
    Export,
    Exporter,
    exporter_command,
    exporter_environment,
    run_side_by_side,
)
from messages_app.models import Channel, Feed
from messages_app.runs import Run
from messages_app.windows import Window, to_milliseconds

# Before this version a window without messages was a failure, and failures had other words.
OLDEST_VERSION = (2, 45)
# A .NET program that is started for the first time takes a while.
VERSION_PATIENCE_S = 30


def check_exporter(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """Is the exporter found, can it be run, and is it new enough?"""
    try:
        command = exporter_command(settings.exporter)
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
            f"{settings.exporter} cannot be run ({type(error).__name__}): run "
            f"`{settings.exporter} --version` by hand to see why.",
        )
    version = re.search(r"\d+(\.\d+)+", said.stdout)
    if said.returncode or not version:
        return bad(
            "exporter",
            f"{settings.exporter} does not tell its version (status {said.returncode}): run "
            f"`{settings.exporter} --version` by hand to see why.",
        )
    if tuple(map(int, version[0].split("."))) < OLDEST_VERSION:
        return bad(
            "exporter",
            f"{settings.exporter} is version {version[0]}: install 2.45 or later, for an older one "
            "calls a window without messages a failure.",
        )
    return good("exporter", f"{settings.exporter}, version {version[0]}")


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
    """Can each channel be exported? A real export of the last seconds, which is thrown away."""
    if not channel_ids:
        yield skipped(
            "channels", "no session is scheduled and POLLER_CHANNELS is empty: none to try"
        )
        return
    try:
        with Run.of(settings) as run:
            exporter = Exporter(settings, run.folder, environ)
            # One goes first: a token that is refused must not be tried on all of them.
            for ids in (channel_ids[:1], channel_ids[1:]):
                failures = _tried(exporter, ids, _window(settings, now), settings.parallel)
                yield from (_channel_finding(each, failures[each]) for each in ids)
                if any(isinstance(failure, TokenRefused) for failure in failures.values()):
                    return
    except ConfigurationError as error:
        yield bad("channels", str(error))
    except OSError as error:
        yield bad(
            "channels",
            f"The state folder {settings.state_dir} cannot be used ({error.strerror}): check who "
            "may write it.",
        )


def _window(settings: Settings, now: datetime) -> Window:
    end = to_milliseconds(now)
    return Window(end - timedelta(seconds=settings.window_s), end)


def _tried(
    exporter: Exporter, channel_ids: Sequence[int], window: Window, most: int
) -> dict[int, PollerError | None]:
    waiting = list(channel_ids)
    channel_of: dict[Export, int] = {}
    failures: dict[int, PollerError | None] = {}

    def next_export() -> Export | None:
        if not waiting:
            return None
        channel_id = waiting.pop(0)
        export = exporter.start(channel_id, window)
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
        with export.output.open("rb") as stream:
            header = ExportReader(stream).header()
    except ExportUnusable as error:
        return error
    except FileNotFoundError:
        return ExportUnusable(
            "The exporter reported success but wrote no file: run it by hand to see why."
        )
    if header.channel_id != channel_id:
        return ExportUnusable(
            f"Discord answers with channel {header.channel_id}: check that the id is a channel's "
            "and not a category's."
        )
    return None


def _channel_finding(channel_id: int, failure: PollerError | None) -> Finding:
    channel = Channel.objects.filter(pk=channel_id).first()
    name = f"{channel_id} (#{channel.name})" if channel and channel.name else str(channel_id)
    if failure:
        return bad("channel", f"{name}: {failure}")
    return good("channel", f"{name} can be exported")

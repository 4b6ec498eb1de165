"""`exporter export`: the built-in exporter on its own, with DiscordChatExporter's command line.

It takes what that program's scripts and this one's polls give it: the same options, the token from
DISCORD_TOKEN, a date without an offset as this machine's local time. The exit status is ours.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from messages_app.discord.client import Patience
from messages_app.discord.export import ChannelExport, Range, Wanted
from messages_app.discord.guilds import Knowledge
from messages_app.discord.names import Names
from messages_app.environment import Settings
from messages_app.errors import PollerError, TokenRefused, UsageError
from messages_app.exporter.builtin import client_of
from messages_app.snowflakes import first_id, id_in, id_typed
from messages_app.windows import to_milliseconds

# A whole channel may take its time.
_LONGEST_S = 7 * 24 * 3600.0
_INTERRUPTED = 130


def main(argv: Sequence[str]) -> int:
    """Run with the words after `exporter`; tell what failed; return the exit status."""
    try:
        return _export(_parser().parse_args(argv))
    except PollerError as error:
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("Interrupted: the last document holds what was read.", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="discord-poller exporter",
        description=(
            "Exports channels with a bot's token, which DISCORD_TOKEN or DISCORD_TOKEN_FILE holds, "
            "as DiscordChatExporter does. Example: exporter export --channel 123456789012345678 "
            "--after 2026-01-31T20:00Z --output race.json"
        ),
    )
    export = parser.add_subparsers(required=True, metavar="export").add_parser(
        "export", help="writes the messages of channels as JSON"
    )
    export.add_argument(
        *("--channel", "-c"), nargs="+", action="extend", required=True, metavar="ID"
    )
    export.add_argument("--after", help="a time, or a message that is not exported itself")
    export.add_argument("--before", help="a time, or a message that is not exported itself")
    export.add_argument("--format", "-f", default="Json", help="Json, and nothing else")
    export.add_argument(
        *("--output", "-o"), default=".", help="a file, or a folder; %%c in it is the channel's id"
    )
    export.add_argument("--utc", action="store_true", help="times are in UTC in any case")
    export.add_argument("--markdown", default="false", help="false: texts are written as typed")
    return parser


def _export(options: argparse.Namespace) -> int:
    if options.format.lower() != "json":
        raise UsageError("The built-in exporter writes JSON only: give --format Json.")
    if options.markdown.lower() != "false":
        raise UsageError("The built-in exporter writes texts as typed: give --markdown false.")
    wanted_range = Range(_bound(options.after, "--after"), _bound(options.before, "--before"))
    channels = [_channel(word) for word in options.channel]
    outputs = [_output(options.output, channel_id) for channel_id in channels]
    if len(set(outputs)) < len(outputs):
        raise UsageError("Several channels want several files: let --output name a folder.")
    settings = Settings(os.environ)
    client = client_of(settings, os.environ)
    knowledge = Knowledge(client, Names(), _now)
    status = 0
    try:
        for channel_id, output in zip(channels, outputs, strict=True):
            wanted = Wanted(
                channel_id, wanted_range, output, reaction_users=settings.reaction_users
            )
            failure = ChannelExport(client, knowledge, wanted, Patience(_LONGEST_S), _now).run()
            if failure:
                print(f"{channel_id}: {failure}", file=sys.stderr)
                status = max(status, failure.status)
            if isinstance(failure, TokenRefused):
                break
    finally:
        client.close()
    return status


def _bound(text: str | None, option: str) -> int | None:
    """The id that bounds a range: messages beyond it are exported, itself is not."""
    if not text:
        return None
    message_id = id_in(text)
    if message_id is not None:
        return message_id
    try:
        instant = to_milliseconds(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} {text!r} is neither a time nor an id: write 2026-01-31T20:00Z."
        ) from None
    return first_id(instant) - 1 if option == "--after" else first_id(instant)


def _channel(word: str) -> str:
    try:
        return str(id_typed(word))
    except ValueError as error:
        raise UsageError(f"--channel {word!r} {error}: correct it.") from None


def _output(template: str, channel_id: str) -> str:
    """The file of a channel; a path without an extension, or of a folder, is a folder."""
    parts = template.split("%%")
    if any(part.replace("%c", "").count("%") for part in parts):
        raise UsageError("--output knows %c and %% only: correct it.")
    path = "%".join(part.replace("%c", channel_id) for part in parts)
    is_folder = path.endswith("/") or os.path.isdir(path) or not os.path.splitext(path)[1]
    return os.path.join(path, f"{channel_id}.json") if is_folder else path


def _now() -> datetime:
    return datetime.now(UTC)

"""Where a document goes: template tokens, folders, and the file name made in a folder."""

import os
import re
import time

from messages_app.replay.arguments import Arguments
from messages_app.replay.instants import instant_of
from messages_app.replay.script import ChannelInfo

_TOKEN = re.compile("%(.)")


def resolve(arguments: Arguments, channel: ChannelInfo) -> str:
    """The file that this channel's document is written to.

    A path that exists as a folder, or has no extension, is a folder.
    """
    given = os.path.abspath(arguments.output or ".")
    if arguments.output.endswith("/"):
        given += "/"
    path = _expand(given, arguments, channel)
    if os.path.isdir(path) or not _extension(path):
        return os.path.join(path, _default_name(arguments, channel))
    return path


def holds_several(output: str) -> bool:
    """Whether documents of several channels can go there without overwriting one another."""
    return "%" in output or output.endswith("/") or os.path.isdir(output)


def _expand(path: str, arguments: Arguments, channel: ChannelInfo) -> str:
    values = {
        "g": channel.guild_id,
        "G": channel.guild,
        "t": channel.category_id,
        "T": channel.category,
        "c": channel.channel_id,
        "C": channel.name,
        "p": "0",
        "P": "0",
        "a": _day(arguments.after),
        "b": _day(arguments.before),
        "d": time.strftime("%Y-%m-%d"),
        "%": "%",
    }
    return _TOKEN.sub(lambda token: _safe(values.get(token[1], token[0])), path)


def _default_name(arguments: Arguments, channel: ChannelInfo) -> str:
    """The name made in a folder: it has the days only, so two polls of a day share one."""
    after, before = _day(arguments.after), _day(arguments.before)
    span = ""
    if after and before:
        span = f" ({after} to {before})"
    elif after or before:
        span = f" (after {after})" if after else f" (before {before})"
    name = f"{channel.guild} - {channel.category} - {channel.name} [{channel.channel_id}]{span}"
    return _safe(name + ".json")


def _day(bound: int | None) -> str:
    if bound is None:
        return ""
    return time.strftime("%Y-%m-%d", time.localtime(instant_of(bound) // 1000))


def _extension(path: str) -> str:
    """What follows the last dot of the last part; unlike os.path's, `.json` is all extension."""
    _, dot, extension = path.rpartition("/")[2].rpartition(".")
    return extension.strip() if dot else ""


def _safe(name: str) -> str:
    return name.replace("/", "_").replace("\0", "_")

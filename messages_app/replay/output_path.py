"""Where a document goes: a path, in which `%` begins a token."""

import os
import re

from messages_app.replay.problems import CommandRefused
from messages_app.replay.script import ChannelInfo

_TOKEN = re.compile("%(.)")


def resolve(output: str, channel: ChannelInfo) -> str:
    """The file that this channel's document is written to; raise CommandRefused for a folder.

    The real one has more tokens, and makes up a name in a folder, which it takes a path without
    an extension for.
    """
    values = {"c": channel.channel_id, "%": "%"}
    path = _TOKEN.sub(lambda token: values.get(token[1], token[0]), os.path.abspath(output or "."))
    if output.endswith("/") or os.path.isdir(path) or not os.path.splitext(path)[1]:
        raise CommandRefused("The replay exporter writes into a file only: --output FILE.json")
    return path


def holds_several(output: str) -> bool:
    """Whether documents of several channels can go there without overwriting one another."""
    return "%" in output

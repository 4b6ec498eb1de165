"""The record of calls: one line of JSON each, appended, so that tests can count and read them."""

import json
import os
from collections.abc import Mapping
from typing import Any

from messages_app.replay.instants import timestamp
from messages_app.replay.problems import Misconfigured


def append(path: str, argv: list[str], now_ms: int, fault: str, **more: Any) -> None:
    """Add the line of this call: `time` (the replay's clock), `argv`, `fault`, `pid` and more.

    One write to a file opened for appending, so lines of calls side by side never mix.
    """
    line: Mapping[str, Any] = {
        "time": timestamp(now_ms),
        "argv": _without_token(argv),
        "fault": fault,
        "pid": os.getpid(),
        **more,
    }
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, (json.dumps(line) + "\n").encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Misconfigured(f"REPLAY_LOG {path} cannot be written: {error.strerror}.") from None


def _without_token(argv: list[str]) -> list[str]:
    """A token in the arguments shows as `***`: that it was there is worth a test, it is not."""
    return [
        "***" if index and argv[index - 1] in ("-t", "--token") else word
        for index, word in enumerate(argv)
    ]

"""What is played and what time it is, by the REPLAY_ settings."""

import json
import time
from collections.abc import Mapping

from messages_app.replay.instants import parse_date
from messages_app.replay.problems import Misconfigured
from messages_app.replay.script import Conversation, JsonObject


def read_clock(environment: Mapping[str, str]) -> int:
    """The replay's clock in milliseconds since 1970: REPLAY_NOW, or the machine's."""
    text = environment.get("REPLAY_NOW", "")
    if not text:
        return time.time_ns() // 1_000_000
    try:
        instant_ms, has_offset = parse_date(text)
    except (ValueError, OverflowError):
        raise Misconfigured(f"REPLAY_NOW is no date: {text!r}.") from None
    if not has_offset:
        raise Misconfigured(f"REPLAY_NOW needs an offset such as Z: {text!r}.")
    return instant_ms


def read_conversation(environment: Mapping[str, str]) -> Conversation:
    """The conversation of REPLAY_SCENARIO. Each kind is imported only when it is played."""
    chosen = environment.get("REPLAY_SCENARIO", "")
    if chosen in ("", "demo"):
        from messages_app.replay.demo import Demo

        return Demo()
    document = _read_json(chosen)
    if "channels" in document:
        from messages_app.replay.scenario import Scenario

        return Scenario.of_document(document)
    raise Misconfigured(f"REPLAY_SCENARIO {chosen} is no scenario.")


def _read_json(path: str) -> JsonObject:
    try:
        with open(path, encoding="utf-8-sig") as file:
            document = json.load(file)
    except (OSError, ValueError) as error:
        raise Misconfigured(f"REPLAY_SCENARIO {path} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise Misconfigured(f"REPLAY_SCENARIO {path} is no scenario.")
    return document

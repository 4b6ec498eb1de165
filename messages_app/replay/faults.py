"""Which failure is played in this call.

REPLAY_FAULT holds names separated by commas; those that only delay or make noise go together with
one that ends the run. `name@CHANNEL` fails for that channel alone. `@FILE` is a schedule by the
replay's clock, a JSON list of `{"from": ISO, "to": ISO, "fault": NAMES, "channel": ID}`, in which
every key but `fault` may be left out and the range is half-open.

before anything   bad-token  mistaken-token (a good one, called invalid since its first question got
                  no answer)  not-found  forbidden  forum  media-channel  empty-category
                  crash (an exception that nobody foresaw)  not-allowed-to-start (the runtime)
after silence     network-down  server-error  untrusted-tls  rate-limited: the exporter repeats each
                  request eight times without a word, for 263 s; network-down:0 is less patient
no messages       unreadable (only the messages are forbidden: exit 1 beside a valid, empty file)
                  no-history (an empty answer without a word, for want of a permission)
                  quiet  no-file  empty-file  garbage
fewer messages    history-lost (the second page comes empty: a permission was lost meanwhile)
other messages    no-intent (texts, files and embeds are blank, but in a bot's own messages; a page
                  of a hundred that is blank throughout is exit 1)
half-way          crash-half (brackets closed, count of the half)  killed  cut-zero-exit
                  hang  hang-tree (with a grandchild)  hang-deaf (ignores SIGTERM)
whole, but wrong  wrong-count  other-channel  failed-zero-exit (a failure that is only named)
beside the rest   slow:SECONDS (start-up)  drip:SECONDS (writing)  stderr-flood

A message that the exporter cannot parse is the scenario's affair (scenario.py), for it stays.
"""

import json
from typing import Any, NamedTuple

from messages_app.replay.instants import parse_date
from messages_app.replay.problems import Misconfigured

_PLAIN = frozenset(
    (
        "bad-token",
        "mistaken-token",
        "not-found",
        "forbidden",
        "forum",
        "media-channel",
        "empty-category",
        "crash",
        "not-allowed-to-start",
        "unreadable",
        "no-history",
        "history-lost",
        "no-intent",
        "quiet",
        "no-file",
        "empty-file",
        "garbage",
        "crash-half",
        "killed",
        "cut-zero-exit",
        "failed-zero-exit",
        "hang",
        "hang-tree",
        "hang-deaf",
        "wrong-count",
        "other-channel",
        "stderr-flood",
    )
)
_RETRIED = frozenset(("network-down", "server-error", "untrusted-tls", "rate-limited"))
_TIMED = frozenset(("slow", "drip"))
NAMES = _PLAIN | _RETRIED | _TIMED
# How long the exporter repeats a request before it tells that it failed.
RETRIES_S = 263.0


class Faults(NamedTuple):
    """The faults of one call for one channel; `silent_s` is how long a request is repeated."""

    names: frozenset[str] = frozenset()
    slow_s: float = 0.0
    drip_s: float = 0.0
    silent_s: float = 0.0

    def any_of(self, *names: str) -> bool:
        """Whether one of these is to be played."""
        return not self.names.isdisjoint(names)


class FaultPlan(NamedTuple):
    """What is to fail by channel: `everywhere`, and more for the channels named."""

    text: str
    everywhere: Faults
    by_channel: dict[str, Faults]

    def of(self, channel_id: str) -> Faults:
        """The faults that this channel meets."""
        own = self.by_channel.get(channel_id)
        return _both(self.everywhere, own) if own else self.everywhere


def read_plan(setting: str, now_ms: int) -> FaultPlan:
    """The plan at `now_ms` by the text of REPLAY_FAULT. Raise Misconfigured for what is unknown."""
    text = _scheduled(setting[1:], now_ms) if setting.startswith("@") else setting
    everywhere = Faults()
    by_channel: dict[str, Faults] = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        name, _, channel_id = word.partition("@")
        fault = _single(name)
        if channel_id:
            by_channel[channel_id] = _both(by_channel.get(channel_id, Faults()), fault)
        else:
            everywhere = _both(everywhere, fault)
    return FaultPlan(text, everywhere, by_channel)


def _single(word: str) -> Faults:
    name, colon, seconds = word.partition(":")
    if name in _PLAIN and not colon:
        return Faults(frozenset((name,)))
    if name in _RETRIED and not colon:
        return Faults(frozenset((name,)), silent_s=RETRIES_S)
    if name in _TIMED | _RETRIED:
        try:
            value = float(seconds)
        except ValueError:
            raise Misconfigured(f"REPLAY_FAULT {name} needs seconds, as in {name}:3.") from None
        if name in _RETRIED:
            return Faults(frozenset((name,)), silent_s=value)
        return Faults(slow_s=value) if name == "slow" else Faults(drip_s=value)
    raise Misconfigured(f"REPLAY_FAULT names no known fault: {word!r}.")


def _both(one: Faults, other: Faults) -> Faults:
    return Faults(
        one.names | other.names,
        one.slow_s + other.slow_s,
        one.drip_s + other.drip_s,
        one.silent_s + other.silent_s,
    )


def _scheduled(path: str, now_ms: int) -> str:
    """The names that the schedule has for this instant, with their channels."""
    try:
        with open(path, encoding="utf-8") as file:
            entries: list[dict[str, Any]] = json.load(file)
        words = []
        for entry in entries:
            if not _bound(entry, "from", now_ms) <= now_ms < _bound(entry, "to", now_ms + 1):
                continue
            channel = entry.get("channel")
            for name in str(entry["fault"]).split(","):
                words.append(f"{name.strip()}@{channel}" if channel else name.strip())
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Misconfigured(f"The fault schedule {path} cannot be used: {error!r}") from None
    return ",".join(words)


def _bound(entry: dict[str, Any], key: str, otherwise: int) -> int:
    if key not in entry:
        return otherwise
    instant_ms, has_offset = parse_date(entry[key])
    if not has_offset:
        raise ValueError(f"{entry[key]} has no offset")
    return instant_ms

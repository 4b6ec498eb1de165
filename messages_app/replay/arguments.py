"""The exporter's command line: which arguments it takes, and how it refuses others."""

from collections.abc import Mapping
from typing import NamedTuple

from messages_app.replay.instants import parse_date, snowflake_at
from messages_app.replay.problems import CommandRefused

_SHORT = {"c": "channel", "f": "format", "o": "output", "p": "partition", "t": "token"}
_LABELS = {name: f"-{short}|--{name}" for short, name in _SHORT.items()}
_FLAGS = ("utc", "markdown", "fuck-russia")
# Taken and without effect on a JSON document that is played from a script.
_IGNORED = ("dateformat", "locale", "parallel", "respect-rate-limits", "include-threads")
_NOT_PLAYED = ("filter", "media", "media-dir", "partition", "reuse-media", "reverse")
_KNOWN = {"token", "channel", "after", "before", "format", "output"}.union(
    _FLAGS, _IGNORED, _NOT_PLAYED
)
_UNSIGNED_64_LIMIT = 1 << 64


class Arguments(NamedTuple):
    """An export that was asked for. Bounds are snowflakes, both excluded; None is no bound."""

    channels: tuple[str, ...]
    after: int | None
    before: int | None
    output: str
    utc: bool
    markdown: bool
    banner: bool


def parse(argv: list[str], environment: Mapping[str, str]) -> Arguments:
    """Given the words after the program's name, return the export they ask for.

    Raise CommandRefused with the exporter's own sentence for anything that it refuses.
    """
    options, extra = _split(argv)
    if not argv or argv[0].startswith("-") or extra[:1] != ["export"]:
        raise CommandRefused("The replay exporter plays one command only: export.")
    if extra[1:]:
        raise CommandRefused("Unexpected parameter(s):\n" + " ".join(f"<{e}>" for e in extra[1:]))
    unknown = [word for word in options if word.lstrip("-") not in _KNOWN]
    if unknown:
        raise CommandRefused("Unrecognized option(s):\n" + ", ".join(unknown))
    values = {word.lstrip("-"): given for word, given in options.items()}
    _require(values, environment)
    for name in _NOT_PLAYED:
        if name in values:
            raise CommandRefused(f"The replay exporter does not play --{name}.")
    if _single(values, "format").lower() != "json":
        raise CommandRefused("The replay exporter writes one format only: add --format Json.")
    truthy = environment.get("FUCK_RUSSIA", "").lower() in ("1", "true")
    return Arguments(
        channels=tuple(str(_snowflake("channel", [text])) for text in values["channel"]),
        after=_snowflake("after", values.get("after", [])),
        before=_snowflake("before", values.get("before", [])),
        output=_single(values, "output"),
        utc=_flag(values, "utc", default=False),
        markdown=_flag(values, "markdown", default=True),
        banner=not _flag(values, "fuck-russia", default=truthy),
    )


def _split(argv: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Options with the values that follow each, and the words that belong to none.

    Only a dash and a letter begin an option, so `-5` is a value; `--after=X` is one strange name.
    """
    options: dict[str, list[str]] = {}
    extra: list[str] = []
    current = extra
    for word in argv:
        if word[:2] == "--" and word[2:3].isalpha():
            current = options.setdefault(word, [])
        elif word[:1] == "-" and word[1:2].isalpha():
            for letter in word[1:]:
                name = _SHORT.get(letter)
                current = options.setdefault(f"--{name}" if name else f"-{letter}", [])
        else:
            current.append(word)
    return options, extra


def _require(values: Mapping[str, list[str]], environment: Mapping[str, str]) -> None:
    missing = []
    if not values.get("token") and not environment.get("DISCORD_TOKEN"):
        missing.append(_LABELS["token"])
    if not values.get("channel"):
        missing.append(_LABELS["channel"])
    if missing:
        raise CommandRefused("Missing required option(s):\n" + ", ".join(missing))


def _single(values: Mapping[str, list[str]], name: str) -> str:
    given = values.get(name, [])
    if len(given) > 1:
        raise CommandRefused(
            f"Option {_label(name)} expects a single argument, but provided with multiple:\n"
            + " ".join(f"<{value}>" for value in given)
        )
    return given[0] if given else ""


def _flag(values: Mapping[str, list[str]], name: str, *, default: bool) -> bool:
    if name not in values:
        return default
    text = _single(values, name).strip().lower()
    if text in ("", "true"):
        return True
    if text == "false":
        return False
    error = f"String '{values[name][0]}' was not recognized as a valid Boolean."
    raise _not_settable(name, values[name], error)


def _snowflake(name: str, given: list[str]) -> int | None:
    """A message id if it is all digits, else a date floored to its millisecond."""
    text = _single({name: given}, name).strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and int(text) < _UNSIGNED_64_LIMIT:
        return int(text)
    try:
        instant_ms, _ = parse_date(text)
    except (ValueError, OverflowError):
        raise _not_settable(name, given, f"Invalid snowflake '{text}'.") from None
    return snowflake_at(instant_ms)


def _not_settable(name: str, given: list[str], error: str) -> CommandRefused:
    values = " ".join(f"<{value}>" for value in given)
    return CommandRefused(
        f"Option {_label(name)} cannot be set from the provided argument(s):\n"
        f"{values}\nError: {error}"
    )


def _label(name: str) -> str:
    return _LABELS.get(name, f"--{name}")

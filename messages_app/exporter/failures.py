"""What an ended exporter means: its exit status, and the reason in its standard error.

DiscordChatExporter.Cli exits with 0 or 1 only, so the reason of a failure is read from its words;
docs/exporter.md lists them. Names of channels and categories stand among them, and anybody on
Discord may choose those: only what an exception or a channel's failure says counts.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from messages_app.errors import (
    ConfigurationError,
    DiscordUnreachable,
    ExporterCrashed,
    ExporterFailed,
    ExportUnusable,
    IntentMissing,
    PollerError,
    TimeLimitReached,
    TokenRefused,
    WrongChannel,
)

# How much of the exporter's own words a sentence quotes.
QUOTE_CHARACTERS = 200
SHELL_NAME = "discord-poller"

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# How the shell that starts the exporter ends where it cannot: missing interpreter, not permitted.
_NOT_EXECUTED = (126, 127)
# An exception that the exporter did not catch, or one that it threw to end at once.
_EXCEPTION = re.compile(r"^(?P<kind>[A-Za-z_][\w.+`]*Exception)(?: \(\w+\))?: (?P<text>.+)$")
# What the exporter throws itself, where Discord's answer is none that it can go on with.
_FORESEEN = ".DiscordChatExporterException"
_FAILED_CHANNELS = "Failed to export the following channel(s):"
_LAST_WORDS = "Export failed."
# A heading of an exception, alone in its line, and the frames below one.
_NOTHING_TOLD = re.compile(r"^(ERROR|Export failed\.|at .*|.*:)$")


@dataclass(frozen=True)
class Words:
    """What the exporter said: an exception's text and kind, a channel's failure, and the line
    that tells most beside them; each is "" where it said nothing of that.
    """

    exception: str
    kind: str
    channel: str
    telling: str

    @property
    def own(self) -> str:
        """What holds no name that somebody on Discord has chosen."""
        return self.exception or ("" if self.channel else self.telling)

    @property
    def reason(self) -> str:
        return self.exception or self.channel or self.telling


def explanation(status: int, stderr: str) -> PollerError | None:
    """Given an exporter's exit status (negative: the signal that killed it) and its words, the
    token taken out, tell what happened and what to do; None where it succeeded.
    """
    words = _read(stderr)
    if status == 0:
        return _failed_in_part(words) if words.channel else None
    if status < 0:
        perhaps = (
            " Where memory runs out, the kernel does that." if -status == signal.SIGKILL else ""
        )
        return ExporterFailed(
            f"The exporter was killed by signal {-status} ({signal.strsignal(-status)}): the "
            f"window will be read again.{perhaps}"
        )
    if status in _NOT_EXECUTED and stderr.startswith(f"{SHELL_NAME}: "):
        said = _plain(stderr.splitlines()[0].rpartition("exec: ")[2])
        return ConfigurationError(
            f"The exporter cannot be executed («{said}»): check POLLER_EXPORTER."
        )
    for said, meanings in ((words.own, _OF_ITS_OWN), (words.reason, _OF_A_CHANNEL)):
        for pattern, kind, what, remedy in meanings:
            if re.search(pattern, said, re.IGNORECASE):
                return kind(f"{what}{_quoted(said)}: {remedy}")
    if words.exception and not words.kind.endswith(_FORESEEN):
        return ExporterCrashed(
            f"The exporter met something that it cannot handle{_quoted(words.exception)}: the "
            "window will be read again; if this repeats, a newer exporter may know better.",
            words.exception,
        )
    if not words.reason and _LAST_WORDS in stderr.splitlines()[-1:]:
        return WrongChannel(
            f"The exporter failed without a reason («{_LAST_WORDS}»), as it does for a category "
            "without channels: check that the id is a channel's."
        )
    said = f" and said «{words.reason}»" if words.reason else ""
    return ExporterFailed(
        f"The exporter exited with status {status}{said}: the window will be read again; if this "
        "repeats, run the exporter by hand."
    )


def quoted_words(stderr: str) -> str:
    """What `stderr` tells, as it is quoted in a sentence; "" where it tells nothing."""
    return _quoted(_read(stderr).reason)


def cut_short(limit_s: float, stderr: str, *, has_begun: bool) -> PollerError:
    """Given what an export had said when its time limit ended it, tell what that means.

    The exporter repeats what fails in silence, for minutes: without a document it got no answer.
    """
    said = quoted_words(stderr)
    if has_begun:
        return TimeLimitReached(
            f"The export took longer than {limit_s:g} s and was ended{said}: the next poll asks "
            "for less at once; raise POLLER_EXPORT_TIMEOUT if this repeats."
        )
    return DiscordUnreachable(
        f"Discord or the network did not answer within {limit_s:g} s{said}: the window will be "
        "read again; check that this host reaches discord.com if this repeats."
    )


def other_channel(asked: int, told: int, category_id: int | None) -> PollerError:
    """Given whose export a document says that it is, tell why that is not the channel asked for.

    Asked for a category that has one channel, the exporter exports that channel.
    """
    if asked == category_id:
        return WrongChannel(f"The id is that of a category: {_CHOOSE}")
    return ExportUnusable(
        f"The export is of channel {told} instead of {asked}: check that the id is a channel's."
    )


def _failed_in_part(words: Words) -> PollerError:
    return ExporterFailed(
        f"The exporter claimed success, but failed on a channel{_quoted(words.channel)}: the "
        "window will be read again."
    )


_AGAIN = "the window will be read again"
_CHOOSE = "put the ids of channels or threads into the session instead."
_Meaning = tuple[str, type[PollerError], str, str]
# A pattern of the exporter's words, what they mean, and what to do; the first that fits counts.
_OF_ITS_OWN: tuple[_Meaning, ...] = (
    (
        r"^Authentication token is invalid",
        TokenRefused,
        "Discord refused the token",
        "put a valid one in its place, then run `poll_recent_messages --now`.",
    ),
    (
        r"^Attempted to export multiple channels",
        WrongChannel,
        "The id is that of a category with several channels",
        _CHOOSE,
    ),
    (
        r"SSL connection could not be established|remote certificate",
        DiscordUnreachable,
        "The exporter does not trust who answers in Discord's place",
        f"{_AGAIN}; install ca-certificates, or the certificate of your proxy.",
    ),
    (
        r"\([\w.-]+:\d+\)$|Connection (refused|reset)|Name or service not known|is unreachable",
        DiscordUnreachable,
        "Discord cannot be reached",
        f"{_AGAIN}; check that this host reaches discord.com if this repeats.",
    ),
    (
        r"^Failed to create CoreCLR",
        ConfigurationError,
        "The exporter's .NET runtime is not allowed to start here",
        "`discord-poller doctor` tells what the service's sandbox refuses.",
    ),
)
_OF_A_CHANNEL: tuple[_Meaning, ...] = (
    (
        r"Message Content Intent|MESSAGE_CONTENT privileged intent",
        IntentMissing,
        "Discord does not let the bot read what messages say",
        "switch on Message Content Intent for it, on the page Bot of Discord's developer portal.",
    ),
    (
        r" is a forum and cannot be exported directly",
        WrongChannel,
        "The channel is a forum, whose posts are threads with ids of their own",
        _CHOOSE,
    ),
    (
        r"Cannot execute action on this channel type",
        WrongChannel,
        "The channel is of a kind that has no messages of its own, such as a media channel",
        _CHOOSE,
    ),
    (
        r"' failed: not found|Requested resource '.*' does not exist",
        ExporterFailed,
        "Discord knows no such channel, or the token's account cannot see it",
        "check the channel id and the account's access.",
    ),
    (
        r"' failed: forbidden|Access to '.*' is forbidden",
        ExporterFailed,
        "Discord forbids the token's account to read the channel",
        "give it the permissions View Channel and Read Message History.",
    ),
    (
        r"' failed: too many requests",
        ExporterFailed,
        "Discord lets the token ask no more for a while",
        f"{_AGAIN}; fewer channels ask less.",
    ),
    (
        r"' failed: (internal server error|bad gateway|service unavailable|gateway timeout)",
        DiscordUnreachable,
        "Discord itself is in trouble",
        f"{_AGAIN}.",
    ),
    (
        r"does not contain any messages within the specified period",
        ConfigurationError,
        "The exporter calls a window without messages a failure, as it did before 2.45",
        "install a newer one with `discord-poller install-exporter`.",
    ),
)


def _read(stderr: str) -> Words:
    lines = [_plain(line) for line in stderr.splitlines()]
    found = next((match for line in lines if (match := _EXCEPTION.match(line))), None)
    return Words(
        found["text"] if found else "",
        found["kind"] if found else "",
        _channel_failure(lines),
        _telling_line(lines),
    )


def _channel_failure(lines: list[str]) -> str:
    """What is said below the heading of the channels that failed."""
    if _FAILED_CHANNELS not in lines:
        return ""
    below = lines[lines.index(_FAILED_CHANNELS) + 1 :]
    return next((line for line in below if line), "")


def _telling_line(lines: list[str]) -> str:
    """The first line that tells of a failure and is no heading, or "" where none does."""
    for line in lines:
        told = re.search("fail|error|attempted|token is", line, re.IGNORECASE)
        if told and not _NOTHING_TOLD.match(line):
            return line
    return ""


def _quoted(words: str) -> str:
    return f" («{words}»)" if words else ""


def _plain(line: str) -> str:
    """The beginning of `line`, without colours and other control characters."""
    text = _COLOUR.sub("", line)
    text = "".join(char if char.isprintable() else " " for char in text)
    return text.strip()[:QUOTE_CHARACTERS]

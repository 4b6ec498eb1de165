"""What can go wrong for an operator or a peer: one class each, bound to its exit status.

Every message is one sentence that says what happened and what to do. The statuses follow
sysexits.h, which systemd shows by name (`status=77/NOPERM`).
"""


def worse(status: int, other: int) -> int:
    """The worse one of two exit statuses: a bug is the worst, none is 0."""
    return PollerError.status if PollerError.status in (status, other) else max(status, other)


class PollerError(Exception):
    """The family.

    `status` is the exit status of the process, `kind` the word for it in records, and
    `message_id` its entry in systemd/discord-poller.catalog.
    """

    status = 1
    kind = "bug"
    message_id = ""


class Bug(PollerError):
    """Something that nobody foresaw went wrong with one feed; the exception is its cause."""

    message_id = "5c0e5b2f0a7e4a0c9a2f6d1d3f7b8e64"

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            f"It failed with {type(error).__name__}, which is a bug: report it with its traceback, "
            "which the journal has."
        )
        self.__cause__ = error


class UsageError(PollerError):
    """A command was given arguments that cannot be meant; nothing was changed."""

    status = 2
    kind = "usage"
    message_id = "7d7016c00793469f82e93637e8ec3132"


class ExportUnusable(PollerError):
    """The export is cut, not JSON, of another channel, or its count is wrong."""

    status = 65
    kind = "export-unusable"
    message_id = "1663b27d0a23473f99374f91f67eda31"


class ExporterFailed(PollerError):
    """The exporter ran and failed, or Discord could not be reached through it."""

    status = 69
    kind = "exporter-failed"
    message_id = "ecfec045618d444a9477976e4f4d781e"


class Unproved(PollerError):
    """The window came empty, and nothing proves that the channel may be read."""

    status = 69
    kind = "unproved"
    message_id = "c1b51f27ea184cd29df4d9a4e8a7a3f0"

    def __init__(self) -> None:
        super().__init__(
            "The channel shows no message, and nothing proves that it may be read: give its reader "
            "the permission Read Message History; where all messages of the channel were deleted, "
            "the built-in exporter can tell."
        )


class ExporterCrashed(PollerError):
    """The exporter met something that it did not foresee; `words` are its own."""

    status = 69
    kind = "exporter-crashed"
    message_id = "891313dd5a81495784909442145221a8"

    def __init__(self, sentence: str, words: str) -> None:
        super().__init__(sentence)
        self.words = words


class DiscordUnreachable(PollerError):
    """Discord or the network on the way to it did not answer."""

    status = 69
    kind = "discord-unreachable"
    message_id = "af409c18b0361f34b37ed8afb01fc8af"


class TokenDoubted(PollerError):
    """The exporter says that the token is invalid, for the first time: it may be mistaken."""

    status = 69
    kind = "token-doubted"
    message_id = "f6b790df20489c438056b7f2264b1828"

    def __init__(self) -> None:
        super().__init__(
            "Discord refused the token, or did not answer when it was asked about it: it is tried "
            "once more; refused again, it counts as invalid."
        )


class RateLimited(PollerError):
    """Discord wants no call for longer than this run may wait."""

    status = 69
    kind = "rate-limited"
    message_id = "761ace407b984d69bb906b7ccc4d8f1e"

    def __init__(self, sentence: str, wait_s: float) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


class DatabaseUnavailable(PollerError):
    """The database cannot be reached, is locked for too long, or its disk is full."""

    status = 69
    kind = "database-unavailable"
    message_id = "435c2fa7233348ce87b1c870558dbc98"


class TimeLimitReached(PollerError):
    """An export took longer than POLLER_EXPORT_TIMEOUT and was ended."""

    status = 75
    kind = "time-limit"
    message_id = "fd6213c1726841fa8e77f7ae5ad554b1"


class ReadingStopped(PollerError):
    """The process that reads a file was ended before it had read it."""

    status = 75
    kind = "reading-stopped"

    def __init__(self, returncode: int) -> None:
        reason = f"by signal {-returncode}" if returncode < 0 else f"with status {returncode}"
        super().__init__(
            f"Reading it was ended {reason}, maybe for want of memory: import the file again, "
            "what was read of it is stored."
        )


class NoRoom(PollerError):
    """The system gives no further process, descriptor or memory for an exporter."""

    status = 75
    kind = "no-room"
    message_id = "0d7b0a36c2f94d55b3f5f5fb6f2a6c58"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The system has no room for an exporter ({reason}): the window will be read again; "
            "raise TasksMax= or LimitNOFILE= of poller.service, or lower POLLER_PARALLEL."
        )


class LeaseLost(PollerError):
    """Another run took over a feed while this one was working on it."""

    status = 75
    kind = "lease-lost"
    message_id = "e5f24cd5a2b64fb793c4b6a9ff2eb8ff"

    def __init__(self) -> None:
        super().__init__(
            "Another run took over the feed, since this one took too long: nothing was stored, "
            "and the other run reads the window."
        )


class TokenRefused(PollerError):
    """Discord refused the token."""

    status = 77
    kind = "token-refused"
    message_id = "61983a2e83c04f04b9bc7914e1112e2e"


class BotTokenRefused(TokenRefused):
    """Discord itself refused the token as a bot's, which leaves no doubt."""


class ConfigurationError(PollerError):
    """A setting is missing, unknown or impossible, or the database's schema does not fit."""

    status = 78
    kind = "configuration"
    message_id = "cd2e2a8b26b245ddbfa1ea8a6a99e55d"


class WrongChannel(PollerError):
    """The id is not that of a channel that can be exported: a forum's, or a category's."""

    status = 78
    kind = "wrong-channel"
    message_id = "b479f5ff2802a234a1ba0d346f99611f"


class IntentMissing(PollerError):
    """Discord does not let the bot see what messages say."""

    status = 78
    kind = "intent-missing"
    message_id = "df51503419de689644a8d907c55cb666"


class ArchiveRefused(PollerError):
    """The archive of an exporter is not the expected one, or not one to unpack."""

    status = 65
    kind = "archive-refused"


class DownloadFailed(PollerError):
    """The archive of an exporter cannot be fetched."""

    status = 69
    kind = "download-failed"

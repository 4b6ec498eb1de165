"""What can go wrong for an operator or a peer: one class each, bound to its exit status.

Every message is one sentence that says what happened and what to do. The statuses follow
sysexits.h, which systemd shows by name (`status=77/NOPERM`).
"""


class PollerError(Exception):
    """The family.

    `status` is the exit status of the process, `kind` the word for it in records, and
    `message_id` its entry in systemd/discord-poller.catalog.
    """

    status = 1
    kind = "bug"
    message_id = ""


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


class ConfigurationError(PollerError):
    """A setting is missing, unknown or impossible, or the database's schema does not fit."""

    status = 78
    kind = "configuration"
    message_id = "cd2e2a8b26b245ddbfa1ea8a6a99e55d"


class ArchiveRefused(PollerError):
    """The archive of an exporter is not the expected one, or not one to unpack."""

    status = 65
    kind = "archive-refused"


class DownloadFailed(PollerError):
    """The archive of an exporter cannot be fetched."""

    status = 69
    kind = "download-failed"

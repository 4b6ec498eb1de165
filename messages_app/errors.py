"""What can go wrong for an operator or a peer: one class each, bound to its exit status.

Every message is one sentence that says what happened and what to do. The statuses follow
sysexits.h, which systemd shows by name (`status=77/NOPERM`).
"""


class PollerError(Exception):
    """The family: `status` is the exit status of the process, `kind` the word in records."""

    status = 1
    kind = "bug"


class UsageError(PollerError):
    """A command was given arguments that cannot be meant; nothing was changed."""

    status = 2
    kind = "usage"


class ExportUnusable(PollerError):
    """The export is cut, not JSON, of another channel, or its count is wrong."""

    status = 65
    kind = "export-unusable"


class ExporterFailed(PollerError):
    """The exporter ran and failed, or Discord could not be reached through it."""

    status = 69
    kind = "exporter-failed"


class DatabaseUnavailable(PollerError):
    """The database cannot be reached, is locked for too long, or its disk is full."""

    status = 69
    kind = "database-unavailable"


class TimeLimitReached(PollerError):
    """An export took longer than POLLER_EXPORT_TIMEOUT and was ended."""

    status = 75
    kind = "time-limit"


class TokenRefused(PollerError):
    """Discord refused the token."""

    status = 77
    kind = "token-refused"


class ConfigurationError(PollerError):
    """A setting is missing, unknown or impossible, or the database's schema does not fit."""

    status = 78
    kind = "configuration"

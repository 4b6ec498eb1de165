"""What ends a run of the stand-in early."""

# The exporter's own, for an answer of Discord's that it cannot go on with.
EXCEPTION = "DiscordChatExporter.Core.Exceptions.DiscordChatExporterException"


class Misconfigured(Exception):
    """A REPLAY_ setting or a scenario file cannot be meant; the stand-in's own exit status 2.

    The real exporter only knows 0 and 1, so a test never takes this for a failure being played.
    """


class CommandRefused(Exception):
    """The command line is refused or every channel failed: the sentence alone, exit status 1."""


class Crashed(Exception):
    """An error that the exporter does not catch: printed with a stack trace, exit status 1."""


class ChannelFailed(Exception):
    """One channel failed; the others go on, and the exit status is 1 only if all failed."""

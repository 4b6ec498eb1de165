"""What ends a run of the stand-in early."""


class Misconfigured(Exception):  # noqa: N818 - it names a state, as the others do
    """A REPLAY_ setting or a scenario file cannot be meant; the stand-in's own exit status 2.

    The real exporter only knows 0 and 1, so a test never takes this for a failure being played.
    """


class CommandRefused(Exception):  # noqa: N818
    """The command line is refused or every channel failed: the sentence alone, exit status 1."""


class Crashed(Exception):  # noqa: N818
    """An error that the exporter does not catch: printed with a stack trace, exit status 1."""


class ChannelFailed(Exception):  # noqa: N818
    """One channel failed; the others go on, and the exit status is 1 only if all failed."""

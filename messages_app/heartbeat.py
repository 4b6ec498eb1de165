"""When an idle tick has to tell that it is alive: to a dead-man's switch, or in the metrics.

Cheap to import, since the gate asks at every idle tick; what there is to do is left to the whole
command, every few minutes.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from messages_app.environment import Settings

# How long an idle poller may be silent, in seconds. Every poll of a live session tells anyway.
SILENCE_S = 300


def is_heartbeat_due(settings: "Settings", now_s: float) -> bool:
    """Whether the last sign of life is SILENCE_S old, or none was ever given.

    `now_s` is in seconds since 1970. A clock that was set back makes it due.
    """
    try:
        age_s = now_s - os.stat(_path(settings)).st_mtime
    except OSError:
        return True
    return not 0 <= age_s < SILENCE_S


def heartbeat_done(settings: "Settings", now_s: float) -> None:
    """Remember that a sign of life was given at `now_s`; raise OSError."""
    os.makedirs(settings.state_dir, exist_ok=True)
    # Root may be who runs this, in a folder that is the service's: it follows no link there.
    descriptor = os.open(
        _path(settings), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666
    )
    try:
        os.utime(descriptor, (now_s, now_s))
    finally:
        os.close(descriptor)


def _path(settings: "Settings") -> str:
    return f"{settings.state_dir}/heartbeat"

"""A terminal of a machine, and a person who types at it."""

import os
import pty
import re
import subprocess
import time

from tests.system.machine import Machine, MachineError


def typed(
    machine: Machine,
    command: str,
    answers: dict[str, str],
    until: re.Pattern[str] | None = None,
    limit_s: float = 300,
) -> str:
    """Type a command on a terminal of the machine; return what it showed.

    `answers` are typed where their key is shown, or stands in the command. A command that follows
    something is ended by Ctrl+C after it has shown `until`.
    """
    ours, theirs = pty.openpty()
    session = ["setsid", "--ctty", *machine.enter(), "sh", "-c", f"cd /root; {command}"]
    process = subprocess.Popen(session, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.set_blocking(ours, False)
    follows = "--follow" in command
    shown = ""
    waiting = dict(answers)
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        try:
            shown += os.read(ours, 65536).decode(errors="replace")
        except BlockingIOError:
            time.sleep(0.1)
        except OSError:
            break
        for cue in [cue for cue in waiting if cue in shown or cue in command]:
            os.write(ours, waiting.pop(cue).encode())
        if follows and until and until.search(shown):
            break
    if follows:
        os.write(ours, b"\x03")
    status = process.wait(30)
    os.close(ours)
    if status not in (0, 130) and not follows:
        raise MachineError(f"{command}: exit {status}\n{shown}")
    return shown

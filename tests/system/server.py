"""discord-poller as an operator has it on a machine: its timer, its runs, its settings."""

import time
from collections.abc import Mapping
from typing import Any

from messages_app.events import POLL_DONE
from tests.system.machine import Machine, MachineError, wait_until

PROGRAM = "/usr/local/lib/discord-poller"
STATE = "/var/lib/discord-poller"
PYTHON = f"{PROGRAM}/venv/bin/python3"
REPLAY = f"{PYTHON} -I -S {PROGRAM}/manage.py replay"
SETTINGS = "/etc/discord-poller/poller.conf"
TOKEN_FILE = "/etc/discord-poller/discord-token"
TOKEN = "a.secret.token-of-the-test"
CHANNEL = "200"
DROP_INS = "/run/systemd/system"
# The manager's own records, by their message ids in sd-messages(3).
UNIT_STARTING = "7d4958e842da4a758f6c1cdc7b36dcc5"
UNIT_FAILED = "d9b373ed55a64feb8242e02dbe79a49c"
PROCESS_EXITED = "98e322203f7a4ed290d09fe03c09fe15"
INFINITY = ("infinity", "", "0")


class Server:
    """A machine with discord-poller installed, a token, and the replay exporter."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._marked_s = 0.0

    def reset(self, period_s: float | None = 2) -> None:
        """Off, healthy settings, a short period (None: the real one); the database stays."""
        self.machine.sh(
            "systemctl disable --now --quiet poller.timer; systemctl stop poller.service;"
            f"rm -rf {DROP_INS}/poller*.d; systemctl reset-failed"
        )
        if period_s is not None:
            self.drop_in(
                "poller.timer",
                f"[Timer]\nOnBootSec=\nOnBootSec=1s\nOnUnitActiveSec={period_s}s\n",
            )
        self.machine.write(TOKEN_FILE, f"{TOKEN}\n", 0o600)
        self.settings()
        self.mark()

    def drop_in(self, unit: str, text: str) -> None:
        """Give a unit a drop-in that lasts until the next reset or boot."""
        self.machine.write(f"{DROP_INS}/{unit}.d/test.conf", text)
        self.machine.run("systemctl", "daemon-reload")

    def settings(self, more: Mapping[str, str] | None = None) -> None:
        """Write poller.conf anew: the replay exporter, and what is given."""
        chosen = {"POLLER_EXPORTER": REPLAY, **(more or {})}
        lines = "".join(f"{name}='{value}'\n" for name, value in chosen.items())
        self.machine.write(SETTINGS, lines, 0o640)

    def fault(self, names: str, **more: str) -> None:
        """Have the exporter fail in this way from the next export on."""
        self.settings({"REPLAY_FAULT": names, **more})

    def command(self, *words: str, status: int = 0, stdin: str | None = None) -> str:
        """Run `discord-poller WORDS` as root; return what it printed, check its exit status."""
        done = self.machine.run("discord-poller", *words, check=False, stdin=stdin)
        output = done.stdout + done.stderr
        if done.returncode != status or "Traceback" in output:
            raise MachineError(f"discord-poller {' '.join(words)}: {done.returncode}\n{output}")
        return output

    def add_session(self, *options: str, title: str = "Race day") -> None:
        """Schedule a session that began a minute ago and lasts for the test."""
        start, end = self.machine.sh("date -Is -d '1 minute ago'; date -Is -d '1 hour'").split()
        self.command("session", "add", title, "--start", start, "--end", end, *options)

    def enable(self) -> None:
        """`systemctl enable --now poller.timer`."""
        self.machine.run("systemctl", "enable", "--quiet", "--now", "poller.timer")

    def wait_for_the_boot_to_be_past(self) -> None:
        """Return once OnBootSec=15s lies in the past, as on any server that is not just booting."""
        boot_s = int(self.machine.show("", "UserspaceTimestampMonotonic")) / 1e6
        wait_until(lambda: time.monotonic() - boot_s > 16, "the machine is up for 16 s")

    def mark(self) -> None:
        """Forget the journal so far: `journal`, `starts` and `polls` tell what comes after this."""
        self.machine.run("journalctl", "--sync")  # what comes late from before is not after
        self._marked_s = time.monotonic()

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """The journal's records since the mark that match."""
        # By the clock, which a machine shares with its host: with --after-cursor, journalctl 252
        # leaves out the first record that matches.
        records = self.machine.journal(*matches)
        return [r for r in records if int(r["__MONOTONIC_TIMESTAMP"]) / 1e6 > self._marked_s]

    def starts(self) -> list[float]:
        """When each run since the mark was started, in seconds of the monotonic clock."""
        records = self.journal(f"MESSAGE_ID={UNIT_STARTING}", "UNIT=poller.service")
        return [int(record["__MONOTONIC_TIMESTAMP"]) / 1e6 for record in records]

    def polls(self) -> list[dict[str, Any]]:
        """The records of windows that were imported whole since the mark."""
        return self.journal(f"MESSAGE_ID={POLL_DONE}", "_SYSTEMD_UNIT=poller.service")

    def wait_for_starts(self, count: int, limit_s: float = 30) -> None:
        """Return once that many runs were started since the mark."""
        wait_until(lambda: len(self.starts()) >= count, f"{count} runs are started", limit_s, 0.3)

    def wait_for_poll(self, limit_s: float = 120) -> None:
        """Return once a window was imported whole since the mark."""
        wait_until(self.polls, "a poll succeeds", limit_s, 0.3)

    def failures(self, unit: str = "poller.service") -> list[str]:
        """How the failed runs since the mark ended, in systemd's words: `exit-code`, `timeout`…"""
        records = self.journal(f"MESSAGE_ID={UNIT_FAILED}", f"UNIT={unit}")
        return [record["UNIT_RESULT"] for record in records]

    def wait_for_failure(self, result: str, unit: str = "poller.service") -> None:
        """Return once a run since the mark has failed in that way."""
        wait_until(lambda: result in self.failures(unit), f"{unit} fails: {result}", 30, 0.3)

    def exit_statuses(self) -> list[int]:
        """The statuses of the runs that did not exit with 0 since the mark."""
        records = self.journal(f"MESSAGE_ID={PROCESS_EXITED}", "UNIT=poller.service")
        return [int(record["EXIT_STATUS"]) for record in records]

    def next_is_finite(self) -> bool:
        """Whether the timer knows when it fires next. While a run lasts it does not."""
        return self.machine.show("poller.timer", "NextElapseUSecMonotonic") not in INFINITY

    def assert_polls_on(self, limit_s: float = 30) -> None:
        """From here on the timer polls with success, and knows its next moment."""
        self.mark()
        self.wait_for_poll(limit_s)
        # On a machine that is too busy for the short period, one run follows on the other.
        wait_until(
            lambda: self.next_is_finite() or len(self.starts()) > 2,
            "the timer knows its next moment",
            limit_s,
            0.05,
        )
        assert self.machine.show("poller.timer", "ActiveState") == "active"

    def processes(self) -> str:
        """The processes of the service's user, one line each: a pid and a command line."""
        return self.machine.sh(
            "for p in $(find /proc -maxdepth 1 -name '[0-9]*' -user discord-poller); do"
            ' echo "${p#/proc/} $(tr "\\0" " " < $p/cmdline 2>/dev/null)"; done'
        )

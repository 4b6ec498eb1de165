"""A real machine for a test: Debian with systemd as PID 1, booted by systemd-nspawn."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

BOOT_LIMIT_S = 90
# Exit status of systemd-nspawn after a reboot inside, when it runs with --keep-unit.
REBOOTED = 133


class MachineError(AssertionError):
    """A machine did not do what it was told; the text is for the person who reads the test run."""


def wait_until(
    condition: Callable[[], object], what: str, limit_s: float = 20.0, every_s: float = 0.1
) -> None:
    """Return as soon as the condition holds; raise MachineError naming `what` after the limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise MachineError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(every_s)


class Machine:
    """One machine on layers of read-only folders; what it writes goes away with it.

    A context manager: entering boots it, leaving ends all of its processes and removes its disk.
    """

    def __init__(self, name: str, layers: Sequence[Path]) -> None:
        """Given the folders of its disk, lowest first, prepare a machine; nothing runs yet."""
        self.name = name
        self._layers = list(layers)
        self._folder = Path(tempfile.mkdtemp(prefix=f"discord-poller-{name}-", dir="/var/tmp"))
        self.upper = self._folder / "upper"
        self.root = self._folder / "root"
        self._cgroup = _cgroup2_mount() / self._folder.name
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        try:
            for folder in (self.upper, self.root, self._folder / "work"):
                folder.mkdir()
            lower = ":".join(str(layer) for layer in reversed(self._layers))
            options = f"lowerdir={lower},upperdir={self.upper},workdir={self._folder}/work"
            _host("mount", "-t", "overlay", "overlay", "-o", options, str(self.root))
            self.boot()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def boot(self) -> None:
        """Start the machine and return when its boot is complete."""
        # Each machine in a cgroup of its own: two in one disturb each other's units. It has only
        # a loopback network, so two machines may use one port, and none can reach out.
        self._cgroup.mkdir(exist_ok=True)
        with (self._folder / "console.log").open("ab") as console:
            self._nspawn = subprocess.Popen(
                [
                    "sh",
                    "-c",
                    'echo $$ > "$1/cgroup.procs"; shift; exec setpriv --pdeathsig KILL "$@"',
                    "sh",
                    str(self._cgroup),
                    "systemd-nspawn",
                    f"--directory={self.root}",
                    f"--machine={self._folder.name[-60:].strip('-_').replace('_', '-')}",
                    "--register=no",
                    "--keep-unit",
                    "--private-network",
                    "--resolv-conf=off",
                    "--timezone=off",
                    "--link-journal=no",
                    "--boot",
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        wait_until(self._booted, f"{self.name} boots (see {console.name})", BOOT_LIMIT_S)

    def _booted(self) -> bool:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            console = (self._folder / "console.log").read_text(errors="replace")
            raise MachineError(f"{self.name} ended while booting:\n{console[-2000:]}")
        leader = _first_process_below(self._nspawn.pid)
        if leader is None:
            return False
        self._leader = leader
        state = self.run("systemctl", "is-system-running", check=False, timeout_s=BOOT_LIMIT_S)
        return state.stdout.strip() in ("running", "degraded")

    def run(
        self,
        *argv: str,
        check: bool = True,
        stdin: str | None = None,
        timeout_s: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside as root; raise MachineError with its output unless it exits 0."""
        outcome = subprocess.run(
            [*self.enter(), *argv],
            stdin=subprocess.DEVNULL if stdin is None else None,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
        if check and outcome.returncode:
            raise MachineError(
                f"{self.name}: {' '.join(argv)}: exit {outcome.returncode}\n"
                f"{outcome.stdout[-6000:]}\n{outcome.stderr[-6000:]}"
            )
        return outcome

    def sh(self, script: str, **options: Any) -> str:
        """Run shell lines inside as root, stopping at the first that fails; return the output."""
        return self.run("sh", "-euc", script, **options).stdout

    def enter(self) -> list[str]:
        """The words that go before a command to have it run inside, with root's environment."""
        enter = ["nsenter", f"--target={self._leader}", "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        # Signals too are as at a login: a test run in the background ignores some.
        clean = ["env", "-i", "--default-signal"]
        return [*enter, *clean, path, "HOME=/root", "LANG=C.UTF-8", "TERM=dumb"]

    def processes(self) -> list[int]:
        """All processes inside, by their numbers outside."""
        inside = os.readlink(f"/proc/{self._leader}/ns/pid")
        found = []
        for path in Path("/proc").glob("[0-9]*/ns/pid"):
            with suppress(OSError):
                found += [int(path.parts[2])] if os.readlink(path) == inside else []
        return found

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file inside, with its folder; `path` is absolute."""
        folder = str(Path(path).parent)
        script = 'mkdir -p "$1"; cat > "$2"; chmod "$3" "$2"'
        self.run("sh", "-euc", script, "sh", folder, path, f"{mode:o}", stdin=text)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit, or of the manager where that is empty, as systemctl shows it."""
        units = [unit] if unit else []
        return self.run("systemctl", "show", f"--property={name}", "--value", *units).stdout.strip()

    def journal(self, *matches: str) -> list[dict[str, Any]]:
        """The journal's records that match, oldest first, everything written so far included."""
        self.run("journalctl", "--sync")
        lines = self.run("journalctl", "--quiet", "--all", "--output=json", *matches).stdout
        return [json.loads(line) for line in lines.splitlines()]

    def reboot(self) -> None:
        """Reboot as an operator would, and return when the machine is up again."""
        self._end("reboot", REBOOTED)
        self.boot()

    def poweroff(self) -> None:
        """Shut down in order; the disk stays, and `upper` holds what was written."""
        self._end("poweroff", 0)

    def _end(self, how: str, expected_status: int) -> None:
        assert self._nspawn is not None
        self.run("systemctl", how, check=False)
        status = self._nspawn.wait(BOOT_LIMIT_S)
        if status != expected_status:
            raise MachineError(f"{self.name}: {how} ended with {status}, not {expected_status}")

    def crash(self) -> None:
        """Cut the power: every process ends at once, nothing is told."""
        assert self._nspawn is not None
        self._end_cgroup()
        self._nspawn.wait(BOOT_LIMIT_S)

    def keep(self, folder: Path) -> None:
        """Move what the machine has written to a folder that outlives it; it must be off."""
        self.upper.rename(folder)

    def remove(self) -> None:
        """End whatever runs and take the disk away; nothing of the machine is left."""
        if self._nspawn is not None and self._nspawn.poll() is None:
            self._nspawn.send_signal(signal.SIGKILL)
            self._nspawn.wait(BOOT_LIMIT_S)
        self._end_cgroup()
        if os.path.ismount(self.root):
            _host("umount", str(self.root))
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end_cgroup(self) -> None:
        # The cgroup goes too: the kernel may kill what is later started in one that was killed.
        if self._cgroup.exists():
            (self._cgroup / "cgroup.kill").write_text("1")
            wait_until(self._remove_cgroup, f"{self.name}: its processes end")

    def _remove_cgroup(self) -> bool:
        try:
            for folder, _, _ in os.walk(self._cgroup, topdown=False):
                Path(folder).rmdir()
        except OSError:
            return False
        return True


def _first_process_below(pid: int) -> int | None:
    """The child of systemd-nspawn that is PID 1 inside; None while it is still being made."""
    try:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            status = Path(f"/proc/{child}/status").read_text()
            namespaces = next(line for line in status.splitlines() if line.startswith("NSpid:"))
            if namespaces.split()[2:] == ["1"]:
                return int(child)
    except FileNotFoundError:
        pass
    return None


def _cgroup2_mount() -> Path:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, folder, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(folder)
    raise MachineError("no cgroup2 mount on this host")


def _host(*argv: str) -> None:
    outcome = subprocess.run(argv, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise MachineError(f"{' '.join(argv)}: exit {outcome.returncode}: {outcome.stderr.strip()}")

"""A private PostgreSQL server for the tests: `python -m tests.postgresql COMMAND…`.

It lives in a temporary folder, listens on a Unix socket only, is told to the command in
DATABASE_URL, and is gone afterwards.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 30


def binaries() -> Path:
    """The folder of the newest PostgreSQL server on this machine."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found := shutil.which("initdb"):
        folders.append(Path(found).parent)
    if not folders:
        sys.exit("The tests need a PostgreSQL server: run `apt-get install postgresql`.")
    return max(
        folders, key=lambda path: [int(n) for n in path.parent.name.split(".") if n.isdigit()]
    )


class Server:
    """A running server. `stop` and `start` let a test take it away and give it back."""

    def __init__(self, folder: Path, primary: Server | None = None) -> None:
        """In an empty folder; a standby of `primary`, if there is one, which must run."""
        self.folder = folder
        self.url = f"postgres://postgres@/postgres?host={folder}"
        self._bin = binaries()
        # PostgreSQL refuses to run as root.
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            self._as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
            shutil.chown(folder, "nobody", "nogroup")
        made: list[str | Path] = [
            *(self._bin / "initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        ]
        if primary:
            made = [
                *(self._bin / "pg_basebackup", "-U", "postgres", "-h", primary.folder),
                *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
            ]
        subprocess.run(
            [*self._as_user, *made, "-D", folder / "data"], check=True, stdout=subprocess.DEVNULL
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *self._as_user,
                self._bin / "postgres",
                *("-D", self.folder / "data", "-k", self.folder),
                *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        ready: list[str | Path] = [self._bin / "pg_isready", "-q", "-h", self.folder]
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while subprocess.run(ready).returncode:
            if time.monotonic() > give_up_at:
                sys.exit("The private PostgreSQL server does not start.")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None


@contextmanager
def private_server(primary: Server | None = None) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="discord-poller-pg-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        server = Server(Path(folder), primary)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def main(command: list[str]) -> int:
    with private_server() as server:
        environment = os.environ | {"DATABASE_URL": server.url}
        return subprocess.run(command, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A program started as systemd starts one for a connection: the open socket is its file 3."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SERVE = str(Path(__file__).parents[1] / "messages_app/web/serve.py")
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-I", *sys.argv[2:]])
"""


@contextmanager
def activated(
    environ: Mapping[str, str], *program: str, **options: Any
) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port on 127.0.0.1 and the process of Python's `program`, the web side unless given."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, str(listening.fileno()), *(program or (SERVE,))],
            env=dict(environ),
            pass_fds=[listening.fileno()],
            text=True,
            **options,
        )
        try:
            yield listening.getsockname()[1], process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)

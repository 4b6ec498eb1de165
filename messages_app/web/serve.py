"""Starts the web side: `python -I messages_app/web/serve.py [--bind HOST:PORT] [--threads N]`.

Where it cannot start, it says why in one sentence, and tells those who ask that it could not. A
service that just ended would be started again at once for the connection that waits, until
systemd gave its socket up.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# More than the pages need, fewer than would be in each other's way.
THREADS = 8
# Nobody watches: the socket stays, and the next connection starts the server again.
IDLE_EXIT_S = 600
# For so long nobody's request makes another attempt.
TURNED_AWAY_S = 15
# The reason may hold what is not for strangers, so it is told in the journal alone.
BODY = b"The web pages cannot start. The reason is in the journal: journalctl -u poller-web\n"
ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    b"Retry-After: %d\r\nContent-Length: %d\r\n\r\n%s" % (TURNED_AWAY_S, len(BODY), BODY)
)


def main(argv: list[str]) -> int:
    """Serve until told to stop; return the exit status."""
    from messages_app.errors import PollerError
    from messages_app.notify import FIRST_SOCKET, notify_status

    options = _parser().parse_args(argv)
    by_systemd = "LISTEN_FDS" in os.environ
    try:
        check()
        from messages_app.web.server import open_sockets

        listening = open_sockets(os.environ, options.bind)
    except PollerError as error:
        print(error, file=sys.stderr, flush=True)
        notify_status(os.environ, str(error))
        if by_systemd:
            with socket.socket(fileno=FIRST_SOCKET) as waiting:
                turn_away(waiting, TURNED_AWAY_S)
        return error.status
    from config.wsgi import application
    from messages_app.web.server import serve

    idle_exit_s = float(os.environ.get("WEB_IDLE_EXIT_S", IDLE_EXIT_S)) if by_systemd else None
    serve(application, listening, options.threads, idle_exit_s, os.environ)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="serve.py", description="Serves the web pages.")
    parser.add_argument(
        "--bind",
        type=_address,
        default=("127.0.0.1", 8365),
        metavar="HOST:PORT",
        help="where to listen when systemd has opened nothing; 127.0.0.1:8365 if not given",
    )
    parser.add_argument(
        "--threads", type=int, default=THREADS, help=f"answers at once; {THREADS} if not given"
    )
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)


def check() -> None:
    """Load the web side and look at its database; raise PollerError where it cannot work."""
    from messages_app.errors import ConfigurationError
    from messages_app.web.installed import missing_libraries

    if missing := missing_libraries("waitress"):
        raise ConfigurationError(
            f"The web side needs {' and '.join(missing)}: install discord-poller[web], or Debian's "
            "python3-markdown-it, python3-whitenoise and python3-waitress."
        )
    from django.db import connection

    import config.wsgi  # noqa: F401 - reads the settings
    from messages_app.database.outage import outages_explained
    from messages_app.database.schema import check_schema

    with outages_explained():
        check_schema()
    connection.close()  # each thread opens its own


def turn_away(listening: socket.socket, limit_s: float) -> None:
    """Answer everybody with 503 for so long."""
    deadline = time.monotonic() + limit_s
    while (left_s := deadline - time.monotonic()) > 0:
        listening.settimeout(left_s)
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(1)
                connection.recv(65536)
                connection.sendall(ANSWER)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))

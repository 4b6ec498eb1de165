"""Starts the web side: `python -I messages_app/web/serve.py`, with the options of gunicorn.

Where it cannot start, it says why in one sentence, and tells those who ask that it could not. A
service that just ended would be started again at once for the connection that waits, until
systemd gave its socket up.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# For so long nobody's request makes another attempt.
TURNED_AWAY_S = 15
# The reason may hold what is not for strangers, so it is told in the journal alone.
BODY = b"The web pages cannot start. The reason is in the journal: journalctl -u poller-web\n"
ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n"
    b"Retry-After: %d\r\nContent-Length: %d\r\n\r\n%s" % (TURNED_AWAY_S, len(BODY), BODY)
)


def main() -> int:
    """Serve until told to stop; return the exit status."""
    from messages_app.errors import PollerError
    from messages_app.notify import notify_status

    try:
        check()
    except PollerError as error:
        print(error, file=sys.stderr, flush=True)
        notify_status(os.environ, str(error))
        if "LISTEN_FDS" in os.environ:
            with socket.socket(fileno=3) as listening:  # where systemd puts it
                turn_away(listening, TURNED_AWAY_S)
        return error.status
    from gunicorn.app.wsgiapp import run

    server = ["--config", str(ROOT / "messages_app/web/server.py"), "--chdir", str(ROOT)]
    sys.argv = ["gunicorn", *server, *sys.argv[1:], "config.wsgi:application"]
    run()
    return 0


def check() -> None:
    """Load the web side and look at its database; raise PollerError where it cannot work."""
    from messages_app.errors import ConfigurationError
    from messages_app.web.installed import missing_libraries

    if missing := missing_libraries("gunicorn"):
        raise ConfigurationError(
            f"The web side needs {' and '.join(missing)}: install discord-poller[web], or Debian's "
            "python3-markdown-it, python3-whitenoise and gunicorn."
        )
    from django.db import connection

    import config.wsgi  # noqa: F401 - reads the settings, for the worker too
    from messages_app.outage import outages_told
    from messages_app.schema import check_schema

    with outages_told():
        check_schema()
    connection.close()  # the worker opens its own


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
    sys.exit(main())

"""Who holds connections of a server without using them, and who asks it meanwhile."""

from __future__ import annotations

import http.client
import socket
import subprocess
from dataclasses import dataclass, field

# Whoever waits longer has found the server hung; how fast it is, the bench tells.
HANG_S = 10.0


@dataclass
class Target:
    """A server on a port of 127.0.0.1, and the connections to it that are held."""

    port: int
    process: subprocess.Popen[str]
    held: list[socket.socket] = field(default_factory=list)

    def hold(self, first: bytes = b"", *, slowly: bool = False) -> socket.socket:
        """Open a connection, send this much, and no more; read nothing of what comes."""
        held = socket.socket()
        if slowly:  # before the connection, since it is agreed on then
            held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        held.settimeout(HANG_S)
        held.connect(("127.0.0.1", self.port))
        held.sendall(first)
        self.held.append(held)
        return held

    def get(self, path: str, limit_s: float = HANG_S) -> tuple[int, bytes]:
        """Ask as an honest client does; return status and body."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=limit_s)
        try:
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def post(self, path: str, body: str) -> http.client.HTTPConnection:
        """Send a form and do not wait for the answer."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        client.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        return client

    def wait_for_first_byte(self, held: socket.socket) -> None:
        """Return once the server has begun to answer a held connection."""
        assert held.recv(1)

    def close(self) -> None:
        for each in self.held:
            each.close()
        self.held.clear()


def request_line(path: str, *more: str) -> bytes:
    """A whole request without a body; `more` are header lines."""
    lines = (f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *more, "", "")
    return "\r\n".join(lines).encode()

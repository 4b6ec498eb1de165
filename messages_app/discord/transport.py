"""One kept-alive connection to Discord's API: an answer in full, bounded, or why there is none."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from messages_app.errors import ConfigurationError

CONNECT_TIMEOUT_S = 10
# The longest silence in the middle of an answer. Discord takes well below a second.
READ_TIMEOUT_S = 20
# The longest that one answer may take in all, however steadily it drips.
ANSWER_TIMEOUT_S = 60
# A hundred of the fattest messages are some 3 MB.
MOST_BYTES = 32 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Unanswered(Exception):
    """There is no answer; the text is the reason, as part of a sentence."""


class Answer(NamedTuple):
    """An answer in full."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Address(NamedTuple):
    """Where the API is: POLLER_DISCORD_API in its parts; `path` ends without a slash."""

    is_tls: bool
    host: str
    port: int
    path: str


def parse_address(url: str) -> Address:
    """Given POLLER_DISCORD_API, return its parts; raise ValueError with the end of a sentence."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("is not an address such as https://discord.com/api/v10")
    if parts.username or parts.password:
        raise ValueError("holds a user name or a password, which Discord does not take")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("is plain HTTP, which is for this machine's own addresses only: the token")
    is_tls = parts.scheme == "https"
    return Address(
        is_tls, parts.hostname, parts.port or (443 if is_tls else 80), parts.path.rstrip("/")
    )


class Connection:
    """A connection that is opened when it is needed and again when it was closed.

    For one thread; `abort` alone may be called from another.
    """

    def __init__(
        self, address: Address, environ: Mapping[str, str], context: ssl.SSLContext | None
    ) -> None:
        self._address = address
        self._proxy = proxy_for(address, environ)
        self._context = context
        self._http: http.client.HTTPConnection | None = None
        self._aborted = False

    def get(self, path: str, headers: Mapping[str, str]) -> Answer:
        """Ask for `path` (with its query) below the API's address; raise Unanswered."""
        was_open = self._http is not None
        try:
            return self._asked(path, headers)
        except (http.client.RemoteDisconnected, ConnectionError) as error:
            self.close()
            # The server may close an idle connection at any time, also just before a call.
            if not was_open or self._aborted:
                raise Unanswered(reason_of(error)) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unanswered(reason_of(error)) from None
        except BaseException:
            self.close()
            raise
        try:
            return self._asked(path, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unanswered(reason_of(error)) from None

    def abort(self) -> None:
        """Let a call that is under way fail, from any thread; the connection is spent then."""
        self._aborted = True
        connection = self._http
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _asked(self, path: str, headers: Mapping[str, str]) -> Answer:
        if self._aborted:
            raise ConnectionAbortedError("the export was ended")
        if self._http is None:
            self._http = self._opened()
        ends = time.monotonic() + ANSWER_TIMEOUT_S
        self._http.request("GET", self._address.path + path, headers=dict(headers))
        response = self._http.getresponse()
        body = _body_of(response, ends)
        response.close()  # read to its end, as the next call must find it
        if response.will_close:
            self.close()
        return Answer(
            response.status, {name.lower(): value for name, value in response.getheaders()}, body
        )

    def _opened(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._proxy:
            host, port = self._proxy.host, self._proxy.port
        if self._address.is_tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=CONNECT_TIMEOUT_S, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)
        if self._proxy:
            connection.set_tunnel(
                self._address.host, self._address.port, headers=dict(self._proxy.headers)
            )
        connection.connect()
        connection.sock.settimeout(READ_TIMEOUT_S)
        return connection


class Proxy(NamedTuple):
    """An HTTP proxy that is asked to connect through; `headers` hold its credentials."""

    host: str
    port: int
    headers: tuple[tuple[str, str], ...]


def proxy_for(address: Address, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy of HTTPS_PROXY, unless NO_PROXY excepts the address; raise ConfigurationError.

    What is plain HTTP is on this machine, and no proxy's business.
    """
    url = environ.get("https_proxy") or environ.get("HTTPS_PROXY") or ""
    if not url or not address.is_tls or _is_excepted(address.host, environ):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or port == 0:
        raise ConfigurationError(
            "HTTPS_PROXY is not an address such as http://proxy.example:3128: correct it, or "
            "remove it where Discord can be reached without."
        )
    headers: tuple[tuple[str, str], ...] = ()
    if parts.username:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        encoded = base64.b64encode(credentials.encode()).decode()
        headers = (("Proxy-Authorization", f"Basic {encoded}"),)
    return Proxy(parts.hostname, port or 80, headers)


def _is_excepted(host: str, environ: Mapping[str, str]) -> bool:
    for entry in (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(","):
        name = entry.strip().lstrip(".")
        if name == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
    return False


def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the system's, or those of SSL_CERT_FILE."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def reason_of(error: Exception) -> str:
    """Say what went wrong, without an address or a header of the call."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'cut'}"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, http.client.RemoteDisconnected):
        return "it closed the connection without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "its answer was cut"
    if isinstance(error, OSError):
        # A proxy's refusal has no number and tells itself ("Tunnel connection failed: 403 …").
        return os.strerror(error.errno) if error.errno else str(error)[:200] or "the network failed"
    return f"its answer is no HTTP ({type(error).__name__})"


def _body_of(response: http.client.HTTPResponse, ends: float) -> bytes:
    """The whole body; raise an error of http.client where it is cut, too long or too slow."""
    declared = response.length
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(_PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise OSError(f"its answer is longer than {MOST_BYTES // 1024 // 1024} MiB")
        if time.monotonic() > ends:
            raise TimeoutError
    if declared is not None and size < declared:
        raise http.client.IncompleteRead(b"", declared - size)
    return b"".join(pieces)

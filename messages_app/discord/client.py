"""One call of Discord's API: paced, tried again where that helps, its answer judged.

What an operator can mend, or must wait for, is a PollerError; what an answer says of the thing that
was asked for (there is none, it may not be read) is an ApiError, which the caller puts into words.
"""

from __future__ import annotations

import json
import random
import ssl
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from messages_app.discord.limits import Limits, Route
from messages_app.discord.times import EPOCH
from messages_app.discord.transport import (
    Address,
    Answer,
    Connection,
    Unanswered,
    tls_context,
)
from messages_app.errors import (
    BotTokenRefused,
    DiscordUnreachable,
    PollerError,
    RateLimited,
)
from messages_app.version import VERSION

# Discord asks for this form, and its protection may turn others away. There is no page to name.
USER_AGENT = f"DiscordBot (https://discord-poller.invalid, {VERSION})"
# How often a call is made in all where Discord or the network failed, and the first pause.
ATTEMPTS = 3
FIRST_PAUSE_S = 1.0
# What to wait where a 429 does not say (a proxy's, or a page that tells of a ban).
BAN_WAIT_S = 600.0

REFUSED = (
    "Discord refused the token: put a bot's token in its place, then run `poll_recent_messages "
    "--now`; a personal token must not be used by a program (Discord's terms), only "
    "DiscordChatExporter takes one."
)


class ApiError(Exception):
    """Discord's answer is no: `status` of HTTP, and Discord's own `code`, 0 where it told none."""

    def __init__(self, status: int, code: int) -> None:
        super().__init__(f"status {status}, code {code}")
        self.status = status
        self.code = code


class Told(NamedTuple):
    """What an answer says, and when: the whole second on Discord's clock, or EPOCH if untold."""

    value: Any
    date: datetime


class Patience:
    """How long one export may take; may be ended at any time from another thread."""

    def __init__(self, seconds: float) -> None:
        self._began = time.monotonic()
        self.ends = self._began + seconds
        self._ended = threading.Event()
        self._connection: Connection | None = None

    @property
    def is_over(self) -> bool:
        return self._ended.is_set() or time.monotonic() >= self.ends

    def share_used(self) -> float:
        """How much of the time is over, from 0 to 1 and beyond."""
        return (time.monotonic() - self._began) / (self.ends - self._began)

    def end(self) -> None:
        """Let all that waits or reads for this export fail at once."""
        self._ended.set()
        connection = self._connection
        if connection is not None:
            connection.abort()

    def sleep(self, seconds: float) -> None:
        """Wait; raise Ended where the export ends first."""
        left = self.ends - time.monotonic()
        if self._ended.wait(min(seconds, max(left, 0))) or seconds > left:
            raise Ended

    def lend(self, connection: Connection | None) -> None:
        """Tell which connection works for this export from now on; raise Ended where it is over."""
        self._connection = connection
        if connection is not None and self._ended.is_set():
            raise Ended


class Ended(Exception):
    """The export was ended, or its time is up."""


class Client:
    """Discord's API as one bot sees it; safe to use from several threads."""

    def __init__(
        self,
        token: str,
        address: Address,
        environ: Mapping[str, str],
        calls_per_s: float,
    ) -> None:
        """Raise ConfigurationError where the proxy's address cannot be meant."""
        self.calls = 0
        self.invalid = 0
        self._address = address
        self._environ = environ
        self._limits = Limits(calls_per_s)
        self._headers = {
            "Authorization": f"Bot {token}",
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
        }
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._context: ssl.SSLContext | None = None
        self._refusal: PollerError | None = None
        self._idle.append(self._new_connection())

    def get(self, path: str, route: Route, patience: Patience) -> Told:
        """Ask for `path`; return the decoded answer.

        Raise ApiError, Ended, or a PollerError: TokenRefused (and from then on without asking),
        RateLimited, DiscordUnreachable.
        """
        failure: PollerError | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                pause = FIRST_PAUSE_S * 2 ** (attempt - 1)
                patience.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311
            try:
                answer = self._answer(path, route, patience)
            except Unanswered as error:
                if patience.is_over:
                    raise Ended from None
                failure = DiscordUnreachable(
                    f"Discord did not answer ({error}): the window will be read again; check the "
                    "network if this repeats."
                )
                continue
            if answer.status < 500:
                return Told(self._judged(answer), _date(answer))
            failure = DiscordUnreachable(
                f"Discord answered with status {answer.status}: the window will be read again; "
                "look at Discord's status page if this repeats."
            )
        assert failure is not None
        raise failure

    def close(self) -> None:
        """Close the connections that are idle."""
        with self._lock:
            for connection in self._idle:
                connection.close()
            self._idle.clear()

    def _answer(self, path: str, route: Route, patience: Patience) -> Answer:
        """Ask when it is allowed, and again where Discord wants us to wait first."""
        while True:
            self._wait_for_turn(route, patience)
            answer = self._ask(path, route, patience)
            if answer.status != 429:
                return answer
            self._put_off(answer, route, patience)

    def _wait_for_turn(self, route: Route, patience: Patience) -> None:
        while True:
            if self._refusal is not None:
                raise self._refusal
            wait = self._limits.claim(route, time.monotonic())
            if wait <= 0:
                return
            if time.monotonic() + wait > patience.ends:
                raise _too_long(wait)
            patience.sleep(wait)

    def _ask(self, path: str, route: Route, patience: Patience) -> Answer:
        connection = self._borrowed()
        answer = None
        try:
            patience.lend(connection)
            answer = connection.get(path, self._headers)
        finally:
            patience.lend(None)
            with self._lock:
                self.calls += 1
                if answer is not None:
                    self._idle.append(connection)
            if answer is None:
                connection.close()
                self._limits.unanswered(route)
        now = time.monotonic()
        self._limits.answered(route, answer.headers, now)
        is_invalid = answer.status in (401, 403, 429)
        if is_invalid and answer.headers.get("x-ratelimit-scope") != "shared":
            with self._lock:
                self.invalid += 1
        return answer

    def _put_off(self, answer: Answer, route: Route, patience: Patience) -> None:
        """Discord asks to wait: remember it; raise RateLimited where that is longer than we may."""
        told = _object(answer)
        wait = _seconds(told.get("retry_after")) or _seconds(answer.headers.get("retry-after"))
        scope = answer.headers.get("x-ratelimit-scope", "")
        is_banned = not told
        if is_banned:
            wait = max(wait or 0, BAN_WAIT_S)
        wait = wait or 1.0
        everywhere = is_banned or scope == "global" or bool(told.get("global"))
        now = time.monotonic()
        self._limits.refused(route, wait, now, everywhere=everywhere)
        if now + wait > patience.ends:
            raise _too_long(wait)

    def _judged(self, answer: Answer) -> Any:
        if answer.status == 401:
            self._refusal = BotTokenRefused(REFUSED)
            raise self._refusal
        if answer.status == 200:
            return _decoded(answer)
        told = _object(answer)
        if "code" not in told or not answer.status >= 400:
            # A proxy's login page, a firewall's refusal: nothing that Discord said.
            raise DiscordUnreachable(
                f"Something between here and Discord answered with status {answer.status}: check "
                "HTTPS_PROXY and the network's rules for discord.com."
            )
        code = told["code"]
        raise ApiError(answer.status, code if isinstance(code, int) else 0)

    def _borrowed(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            return self._new_connection()

    def _new_connection(self) -> Connection:
        if self._context is None and self._address.is_tls:
            self._context = tls_context()
        return Connection(self._address, self._environ, self._context)


def _decoded(answer: Answer) -> Any:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise DiscordUnreachable(
            f"The answer is not Discord's ({kind or 'of no kind'} instead of JSON): check "
            "HTTPS_PROXY and whether the network asks for a login."
        )
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        raise DiscordUnreachable(
            "Discord's answer is cut or no JSON: the window will be read again."
        ) from None


def _object(answer: Answer) -> Mapping[str, Any]:
    """The JSON object in the body, or an empty one where it holds none."""
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _date(answer: Answer) -> datetime:
    try:
        date = parsedate_to_datetime(answer.headers.get("date", ""))
    except (ValueError, TypeError, IndexError):
        return EPOCH
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def _seconds(value: Any) -> float | None:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds < 1e7 else None


def _too_long(wait: float) -> RateLimited:
    return RateLimited(
        f"Discord asks to wait for {wait:.0f} s more: the window will be read after that.", wait
    )

"""A limit on failed logins, by address and by name, so that passwords cannot be tried for long.

And on those that are checked at once: hashing is made to be slow, and a storm of logins would leave
no thread and no processor to the pages.
"""

from __future__ import annotations

import secrets
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest

from messages_app.web.peer import client_address

MOST_FAILURES_OF_ADDRESS = 10
# Higher, since many addresses can be made to fail for one name to lock its owner out.
MOST_FAILURES_OF_NAME = 30
FORGOTTEN_AFTER_S = 600
# Whoever has one IPv6 address has all of its network.
IPV6_PREFIX = 64
# Passwords that are hashed at once, and logins that wait for that or are; the server has 8 threads.
MOST_HASHED, MOST_AT_ONCE = 2, 4
PATIENCE_S = 5.0
# Counters of addresses, and as many of names. Several share one where there are too many for that:
# so whoever fails under a million names makes none of them forgotten, and costs no more memory.
COUNTERS = 1 << 16

_salt = secrets.token_bytes(16)
_lock = threading.Lock()
# Failures of the addresses or names of a counter, and when the first one was.
_failures: dict[tuple[str, int], tuple[int, float]] = {}
_places = threading.BoundedSemaphore(MOST_AT_ONCE)
_hashing = threading.BoundedSemaphore(MOST_HASHED)


class Blocked(Exception):
    """Too many failures; come back when they are forgotten."""


class Busy(Exception):
    """Too many logins at once; come back in a moment."""


@contextmanager
def attempt(request: HttpRequest, name: str) -> Iterator[None]:
    """Let one attempt to log in be made; raise Blocked or Busy.

    It counts as a failure from its beginning, so that attempts at once cannot pass the limit
    together, until `succeeded` takes that back.
    """
    if not _places.acquire(blocking=False):
        raise Busy
    try:
        if not _hashing.acquire(timeout=PATIENCE_S):
            raise Busy
        try:
            _count(request, name)
            yield
        finally:
            _hashing.release()
    finally:
        _places.release()


def succeeded(request: HttpRequest, name: str) -> None:
    """Take back the failure that an attempt was counted as."""
    with _lock:
        for key in _limits(request, name):
            count, since = _failures.get(key, (0, 0.0))
            if count > 0:
                _failures[key] = (count - 1, since)


def forget() -> None:
    """Forget all failures (tests start each from none)."""
    with _lock:
        _failures.clear()


def _count(request: HttpRequest, name: str) -> None:
    now = time.monotonic()
    with _lock:
        limits = _limits(request, name)
        for key in limits:
            if key in _failures and now - _failures[key][1] > FORGOTTEN_AFTER_S:
                del _failures[key]
        if any(_failures.get(key, (0, now))[0] >= most for key, most in limits.items()):
            raise Blocked
        for key in limits:
            count, since = _failures.get(key, (0, now))
            _failures[key] = (count + 1, since)


def _limits(request: HttpRequest, name: str) -> dict[tuple[str, int], int]:
    return {
        ("address", _counter(_network(client_address(request)))): MOST_FAILURES_OF_ADDRESS,
        ("name", _counter(_as_compared(name))): MOST_FAILURES_OF_NAME,
    }


def _counter(text: str) -> int:
    digest = blake2b(text.encode(errors="replace"), key=_salt, digest_size=8).digest()
    return int.from_bytes(digest, "big") % COUNTERS


def _as_compared(name: str) -> str:
    """The name as Django looks it up, and without regard to case, as people take names."""
    return unicodedata.normalize("NFKC", name.strip()).strip().casefold()


def _network(address: str) -> str:
    """What one client can be all of: an IPv4 address, or the network of an IPv6 address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ip_network((int(found), IPV6_PREFIX), strict=False))
    return str(found)

"""A limit on failed logins, by address and by name, so that passwords cannot be tried for long."""

from __future__ import annotations

from hashlib import sha256
from ipaddress import ip_address

from django.core.cache import cache
from django.http import HttpRequest

MOST_FAILURES_OF_ADDRESS = 10
# Higher, since many addresses can be made to fail for one name to lock its owner out.
MOST_FAILURES_OF_NAME = 30
FORGOTTEN_AFTER_S = 600


def is_blocked(request: HttpRequest, name: str) -> bool:
    limits = _limits(request, name)
    failures = cache.get_many(limits)
    return any(failures.get(key, 0) >= most for key, most in limits.items())


def count_failure(request: HttpRequest, name: str) -> None:
    for key in _limits(request, name):
        cache.add(key, 0, FORGOTTEN_AFTER_S)
        cache.incr(key)


def client_address(request: HttpRequest) -> str:
    """Who asks: behind a proxy on this machine, the address that the proxy saw."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    return forwarded if forwarded and _is_local(peer) else peer


def _limits(request: HttpRequest, name: str) -> dict[str, int]:
    name_hash = sha256(name.lower().encode(errors="replace")).hexdigest()
    address_hash = sha256(client_address(request).encode(errors="replace")).hexdigest()
    return {
        f"login-address-{address_hash}": MOST_FAILURES_OF_ADDRESS,
        f"login-name-{name_hash}": MOST_FAILURES_OF_NAME,
    }


def _is_local(peer: str) -> bool:
    if not peer:  # a Unix socket has no address
        return True
    try:
        return ip_address(peer).is_loopback
    except ValueError:
        return False

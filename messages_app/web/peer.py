"""Who asks: the address of the client, seen by us or by a proxy on this host."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Behind a proxy on this machine, the address that the proxy saw."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    return forwarded if forwarded and is_local(peer) else peer


def is_local(peer: str) -> bool:
    """Whether an address is this host's own; a Unix socket has none, or this name."""
    if peer in ("", "localhost"):
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback

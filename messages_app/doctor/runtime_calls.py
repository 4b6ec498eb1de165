"""The calls that a .NET runtime makes when it starts, each made alone: which are refused here?

A runtime that is refused one of them dies with words that name no call. As a program it prints the
names of those that are refused, and exits 1 if there are any. Standard library only.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import socket
import sys
from collections.abc import Callable
from pathlib import Path

# membarrier(2) has no wrapper in the C library; its number, and two of its commands.
_MEMBARRIER = {"x86_64": 324, "aarch64": 283, "armv7l": 389}
_QUERY, _REGISTER_PRIVATE_EXPEDITED = 0, 1 << 4
_PAGE = mmap.PAGESIZE
# The runtime asks them how much memory and how many processors it has.
_READ_AT_START = ("/proc/meminfo", "/proc/cpuinfo", "/proc/self/mountinfo", "/proc/self/cgroup")


def refused_calls() -> list[str]:
    """The names of the calls that fail in this process, in the order of a runtime's start."""
    return [name for name, call in _CALLS.items() if _is_refused(call)]


def _is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except OSError:
        return True
    return False


def _checked(result: int) -> int:
    """A C function's result; raise OSError for the -1 that tells of an error."""
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _set_affinity() -> None:
    os.sched_setaffinity(0, os.sched_getaffinity(0))


def _membarrier() -> None:
    number = _MEMBARRIER.get(platform.machine())
    if number is None:
        return
    for command in (_QUERY, _REGISTER_PRIVATE_EXPEDITED):
        _checked(_libc().syscall(number, command, 0))


def _map_twice() -> None:
    """Code is written through one mapping and run through another of the same memory."""
    descriptor = os.memfd_create("doublemapper", os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, _PAGE)
        mmap.mmap(descriptor, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE).close()
        mmap.mmap(descriptor, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_EXEC).close()
    finally:
        os.close(descriptor)


def _make_executable() -> None:
    libc = _libc()
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    protection, flags = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    address = libc.mmap(None, _PAGE, protection, flags, -1, 0)
    try:
        _checked(libc.mprotect(address, _PAGE, mmap.PROT_READ | mmap.PROT_EXEC))
    finally:
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(_PAGE))


def _interface_addresses() -> None:
    libc, found = _libc(), ctypes.c_void_p()
    _checked(libc.getifaddrs(ctypes.byref(found)))
    libc.freeifaddrs(found)


def _sockets() -> None:
    for family in (socket.AF_INET, socket.AF_INET6):
        socket.socket(family, socket.SOCK_STREAM).close()


def _read(path: str) -> Callable[[], object]:
    return Path(path).read_bytes


def _cgroup_limits() -> None:
    """The memory limit of this process's own group, where there is one."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _number, controllers, group = line.split(":", 2)
        limit = Path(f"/sys/fs/cgroup{group}/memory.max")
        if not controllers and limit.exists():
            limit.read_bytes()


_CALLS: dict[str, Callable[[], object]] = {
    "sched_setaffinity": _set_affinity,
    "membarrier": _membarrier,
    "memfd_create with a writable and an executable mapping": _map_twice,
    "mprotect to executable": _make_executable,
    **{f"reading {path}": _read(path) for path in _READ_AT_START},
    "reading the limits in /sys/fs/cgroup": _cgroup_limits,
    "getifaddrs": _interface_addresses,
    "socket of AF_INET and AF_INET6": _sockets,
}


if __name__ == "__main__":
    refused = refused_calls()
    print("\n".join(refused), end="\n" if refused else "")
    sys.exit(1 if refused else 0)

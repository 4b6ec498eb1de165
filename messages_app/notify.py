"""What is said between systemd and its services: the sentence of `systemctl status` (sd_notify(3)).

Cheap to import, since an idle tick tells its sentence too.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# The descriptor of the first socket that systemd passes on (sd_listen_fds(3)).
FIRST_SOCKET = 3


def notify_status(environ: "Mapping[str, str]", sentence: str) -> None:
    """Tell the service manager that started us, if one did."""
    notify(environ, f"STATUS={' '.join(sentence.split())}")


def notify(environ: "Mapping[str, str]", assignment: str) -> None:
    """Send one assignment of sd_notify(3), such as READY=1; what goes wrong is not worth it."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # The module under `socket`, whose import alone would double the cost of an idle tick.
    import _socket

    if address[0] == "@":  # an abstract address, which begins with a zero byte
        address = "\0" + address[1:]
    message = assignment.encode(errors="replace")
    try:
        channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
        try:
            channel.setblocking(False)
            channel.sendto(message, address)
        finally:
            channel.close()
    except OSError:
        pass

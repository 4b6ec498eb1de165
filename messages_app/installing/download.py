"""Fetches an archive over HTTP: within bounds, whole, or not at all."""

import http.client
import urllib.error
import urllib.request
from typing import IO, Any
from urllib.parse import urlsplit

from messages_app.errors import ArchiveRefused, DownloadFailed, UsageError

# The real archives have some 30 MB.
MAX_ARCHIVE_BYTES = 256 * 1024**2
# For an answer that has begun, too: the time between two pieces of it.
PATIENCE_S = 30.0
_PIECE_BYTES = 1024**2
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def fetch(url: str, into: IO[bytes]) -> None:
    """Write what `url` holds into a file; raise UsageError, DownloadFailed or ArchiveRefused."""
    if not _is_safe(url):
        raise UsageError(f"{url!r} cannot be fetched: give an address that begins with https://.")
    try:
        with urllib.request.build_opener(_Redirections).open(url, timeout=PATIENCE_S) as answer:
            expected = answer.length
            copied = copy_bounded(answer, into)
    except urllib.error.HTTPError as error:
        raise DownloadFailed(
            f"{url} cannot be fetched (status {error.code}): check the version and the address."
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise DownloadFailed(
            f"{url} cannot be fetched ({reason}): check the network, or fetch it elsewhere and "
            "name the file with --from."
        ) from None
    if expected is not None and copied != expected:
        raise DownloadFailed(
            f"{url} was cut after {copied} of {expected} bytes: repeat the command."
        )


def _is_safe(url: str) -> bool:
    """Whether nobody on the way can read or change what comes from there."""
    try:
        address = urlsplit(url)
        return address.scheme == "https" or (
            address.scheme == "http" and address.hostname in _THIS_MACHINE
        )
    except ValueError:
        return False


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Refuses an address before it is asked."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        is_worse = req.type == "https" and urlsplit(newurl).scheme != "https"
        if is_worse or not _is_safe(newurl):
            raise ArchiveRefused(
                f"{req.full_url} leads to an address without encryption ({newurl}): nothing was "
                "fetched from there."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def copy_bounded(source: IO[bytes], into: IO[bytes]) -> int:
    """Copy a whole stream and return its bytes; raise ArchiveRefused beyond MAX_ARCHIVE_BYTES."""
    copied = 0
    while piece := source.read(_PIECE_BYTES):
        copied += len(piece)
        if copied > MAX_ARCHIVE_BYTES:
            raise ArchiveRefused(
                f"The archive is larger than {MAX_ARCHIVE_BYTES // 1024**2} MiB, which the "
                "exporter is not: nothing was installed."
            )
        into.write(piece)
    return copied

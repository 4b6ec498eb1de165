"""Fetches an archive over HTTP: within bounds, whole, or not at all."""

import http.client
import urllib.error
import urllib.request
from typing import IO
from urllib.parse import urlsplit

from messages_app.errors import ArchiveRefused, DownloadFailed, UsageError

# The real archives have some 30 MB.
MAX_ARCHIVE_BYTES = 256 * 1024**2
# For an answer that has begun, too: the time between two pieces of it.
PATIENCE_S = 30.0
_PIECE_BYTES = 1024**2


def fetch(url: str, into: IO[bytes]) -> None:
    """Write what `url` holds into a file; raise UsageError, DownloadFailed or ArchiveRefused."""
    if urlsplit(url).scheme not in ("https", "http"):
        raise UsageError(f"{url!r} cannot be fetched: give an address that begins with https://.")
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310 - checked
            if urlsplit(url).scheme == "https" and urlsplit(answer.url).scheme != "https":
                raise ArchiveRefused(
                    f"{url} leads to an address without encryption ({answer.url}): nothing was "
                    "fetched from there."
                )
            expected = answer.length
            copied = copy_bounded(answer, into)
    except urllib.error.HTTPError as error:
        raise DownloadFailed(
            f"{url} cannot be fetched (status {error.code}): check the version and the address."
        ) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise DownloadFailed(
            f"{url} cannot be fetched ({reason}): check the network, or fetch it elsewhere and "
            "name the file with --from."
        ) from None
    if expected is not None and copied != expected:
        raise DownloadFailed(
            f"{url} was cut after {copied} of {expected} bytes: repeat the command."
        )


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

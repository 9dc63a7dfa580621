"""Fetch a scene from a URL that the operator allowed, to a file: checked at each redirect, bounded in bytes and time.

Only the standard library speaks here, and it knows of no proxy: what was checked is what is connected to.
"""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from edge import __version__
from edge.server.addresses import find_addresses
from edge.server.dial import Watch, cause_of, dial, failed
from edge.server.problems import HttpError
from edge.server.streams import create, write
from edge.server.urls import check_url

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence
    from pathlib import Path

    from edge.server.urls import Url

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PIECE = 256 * 2**10
_PART = ".fetching"
_HEADERS = {
    "User-Agent": f"tanker-edge/{__version__}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


def fetch(text: str, prefixes: Sequence[str], place: Path, most_bytes: int, stop: threading.Event) -> None:
    """Fetch a scene to a file. What is there of an earlier attempt is replaced.

    Args:
        text: the URL.
        prefixes: URLs, of which one must be its beginning; those of redirects too.
        place: the file, in a folder of the job alone.
        most_bytes: of the file.
        stop: set when nobody wants it any more; it then ends within a second, or within the time of connecting.

    Raises:
        HttpError: 403, not allowed; 413, too long; 502, the other side does not give it.
        OutputError: the disk is full.
        StoppedError: `stop` was set.
    """
    part = place.with_name(_PART)
    part.unlink(missing_ok=True)
    try:
        _follow(text, prefixes, _Transfer(part, most_bytes, stop))
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _follow(text: str, prefixes: Sequence[str], transfer: _Transfer) -> None:
    """Ask, and ask where it is sent on to."""
    for _ in range(MOST_REDIRECTS + 1):
        url, prefix = check_url(text, prefixes)
        location = transfer.ask(url, find_addresses(url, prefix))
        if location is None:
            return
        try:
            text = urljoin(text, location)
        except ValueError:
            raise failed(url, "it redirects to what is no URL") from None
    raise failed(url, f"it redirects more than {MOST_REDIRECTS} times")


class _Transfer:
    """One file that is fetched."""

    def __init__(self, part: Path, most_bytes: int, stop: threading.Event) -> None:
        self.part, self.most_bytes, self.stop = part, most_bytes, stop

    def ask(self, url: Url, addresses: Sequence[str]) -> str | None:
        """Fetch it; or say where it redirects to."""
        with dial(url, addresses) as end, Watch(end, self.stop) as watch:
            try:
                return self._talk(url, watch)
            except (OSError, http.client.HTTPException) as error:
                watch.raise_for(url)
                raise failed(url, cause_of(error)) from error

    def _talk(self, url: Url, watch: Watch) -> str | None:
        """See `ask`."""
        connection = http.client.HTTPConnection(url.host, url.port)  # its words only: the socket is ours
        connection.sock = watch.secure(url)
        connection.request("GET", url.target, headers=_HEADERS)
        with connection.getresponse() as response:
            if response.status in _REDIRECTS:
                return response.getheader("Location", "")
            self._check(url, response)
            self._save(url, response, watch)
        return None

    def _check(self, url: Url, response: http.client.HTTPResponse) -> None:
        """Refuse by its head what need not be read."""
        if response.status != http.client.OK:
            raise failed(url, f"the other side answered {response.status}")
        if response.getheader("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
            raise failed(url, "the other side encoded it (Content-Encoding), though asked not to")
        if (response.length or 0) > self.most_bytes:
            raise self._too_long(url)

    def _save(self, url: Url, response: http.client.HTTPResponse, watch: Watch) -> None:
        """Write the body to the file."""
        told, size = response.length, 0
        with create(self.part) as file:
            while piece := response.read1(_PIECE):
                size += len(piece)
                watch.bytes = size
                if size > self.most_bytes:
                    raise self._too_long(url)
                write(file, piece)
        watch.raise_for(url)
        if told is not None and size != told:
            raise failed(url, f"it broke off after {size:,} of {told:,} bytes")
        if size == 0:
            raise failed(url, "it is empty")

    def _too_long(self, url: Url) -> HttpError:
        return HttpError(413, f"it is longer than {self.most_bytes:,} bytes", "fetch a smaller one", subject=str(url))

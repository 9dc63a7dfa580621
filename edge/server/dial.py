"""Connections to other machines: to an address that was checked, and ended when they are too slow or not wanted."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING

from edge.errors import StoppedError
from edge.server.problems import HttpError
from edge.server.streams import SLOWEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.server.urls import Url

CONNECT_S = 10.0
SILENCE_S = 30.0
"""How long the other side may send nothing, s; on the whole it must send SLOWEST bytes/s."""
_LOOK_S = 0.1


def dial(url: Url, addresses: Sequence[str]) -> socket.socket:
    """A connection to the first of the addresses that takes one.

    Raises:
        HttpError: 502.
    """
    fault: OSError | None = None
    for address in addresses:
        found = _try(address, url.port)
        if not isinstance(found, OSError):
            return found
        fault = found
    raise failed(url, cause_of(fault) if fault else "its host has no address")


def _try(address: str, port: int) -> socket.socket | OSError:
    try:
        return socket.create_connection((address, port), CONNECT_S)
    except OSError as error:
        return error


class Watch:
    """Ends a connection under whoever reads it, once it is too slow or not wanted any more.

    A timeout of the socket would not do: who sends a byte now and then never runs into it.
    """

    def __init__(self, end: socket.socket, stop: threading.Event) -> None:
        """Of a connection, until `stop` is set."""
        self.bytes = 0
        """That have come, of the body."""
        self._end, self._stop = end, stop
        self._done = threading.Event()
        self._slow = False
        self._thread = threading.Thread(target=self._look, name="fetch-watch", daemon=True)

    def __enter__(self) -> Watch:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Begin to look."""
        self._end.settimeout(SILENCE_S)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more, and close the connection."""
        self._done.set()
        self._thread.join()
        self._end.close()

    def secure(self, url: Url) -> socket.socket:
        """The connection, with TLS where the URL asks for it: its certificate must be that of the host's name."""
        if url.scheme == "https":
            context = ssl.create_default_context()
            end = context.wrap_socket(self._end, server_hostname=url.host, do_handshake_on_connect=False)
            self._end = end
            end.do_handshake()
        return self._end

    def raise_for(self, url: Url) -> None:
        """Say why the connection was ended, if it was.

        Raises:
            StoppedError: it was not wanted any more.
            HttpError: 502, it was too slow.
        """
        if self._stop.is_set():
            raise StoppedError(str(url), "the fetch was stopped", "ask again")
        if self._slow:
            raise failed(url, f"it comes at less than {SLOWEST:,} bytes/s")

    def _look(self) -> None:
        begun = time.monotonic()
        while not self._done.wait(_LOOK_S):
            self._slow = time.monotonic() - begun > SILENCE_S + self.bytes / SLOWEST
            if self._slow or self._stop.is_set():
                with contextlib.suppress(OSError):  # not TLS's own: that would take the reader's state away
                    socket.socket.shutdown(self._end, socket.SHUT_RDWR)
                return


def cause_of(error: Exception) -> str:
    """What went wrong, without words of the other side's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "the other side does not answer"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason told'})"
    if isinstance(error, http.client.HTTPException):  # some are OSErrors too
        return f"the other side does not speak HTTP as it should ({type(error).__name__})"
    return f"the connection failed ({getattr(error, 'strerror', None) or type(error).__name__})"


def failed(url: Url, cause: str) -> HttpError:
    """The problem of a fetch that did not succeed on the other side."""
    return HttpError(502, f"the scene was not fetched: {cause}", "check the URL, or send the scene", subject=str(url))

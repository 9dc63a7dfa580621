"""Connections: how long a client may take over a request's head, and how many connections there may be.

h11 and not the quicker httptools, which takes headers without end.
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEAD_S = 15.0
"""From the connection, or the first byte of a further request, to the end of the request's head."""
MOST = 512
"""Connections; beyond it one is closed as it comes."""


def allow_many_files() -> None:
    """Take as many open files as this user may have: a connection is one, and so is the body that comes over it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Protocol(H11Protocol):
    """Uvicorn's, with limits."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if there are not too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.abort()
            return
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head must be whole in time, however it trickles."""
        super().data_received(data)
        if getattr(self.cycle, "response_complete", True):  # None before the first request
            if self._late is None and self.timeout_keep_alive_task is None:
                self._wait_for_head()
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._late is not None:
            self._late.cancel()
            self._late = None
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._late = self.loop.call_later(HEAD_S, self._too_late)

    def _too_late(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()

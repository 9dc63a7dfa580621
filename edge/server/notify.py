"""Words to systemd (sd_notify(3)): ready, reloading, stopping, still alive. Where nobody listens nothing is said."""

from __future__ import annotations

import logging
import os
import socket
import time
from dataclasses import dataclass

LOG = logging.getLogger(__name__)
MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Notify:
    """Tells the service manager how the server is."""

    address: str | None
    """Of its socket; one that begins with @ is an abstract name. None: nobody listens."""
    watchdog_s: float | None = None
    """After so many s without a word the manager takes the server for dead; None: it does not look."""

    @classmethod
    def from_environment(cls) -> Notify:
        """As systemd told this process."""
        usec, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
        mine = usec.isdecimal() and int(usec) > 0 and pid in {"", str(os.getpid())}
        return cls(os.environ.get("NOTIFY_SOCKET") or None, int(usec) * MICRO if mine else None)

    def ready(self) -> None:
        """Work is taken: after the start, and after a reload."""
        self._say("READY=1")

    def reloading(self) -> None:
        """Another model is being loaded."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._say("STOPPING=1")

    def alive(self) -> None:
        """The event loop answers."""
        self._say("WATCHDOG=1")

    def _say(self, words: str) -> None:
        """Send them; a manager that cannot be reached is no reason to stop."""
        if self.address is None:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.settimeout(0)  # the event loop must not wait for anybody
                end.sendto(words.encode(), name)
        except OSError as error:
            LOG.warning("notify_failed", extra={"fields": {"error": str(error)}})

"""How much work is let in: px in flight, over all requests that are answered at once.

Px stand for work: the network's cost and the memory of a decoded scene both follow them. The door is open as long as
there is room for any px at all: were a request let in only where all of it fits, small ones would fill each gap, and
large ones would never come in. So there may be one request's px more in flight than the limit says.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.server.problems import HttpError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_GUESS = 5e6
"""Px/s, before anything was measured."""
_MEMORY = 0.9
"""Share of the old estimate that stays when a request is done."""
LONGEST_WAIT_S = 60


class Admission:
    """Lets requests in as long as their px fit; safe to use from several threads."""

    def __init__(self, limit_px: int) -> None:
        """Shut from `limit_px` px in flight on."""
        self._limit = limit_px
        self._lock = threading.Lock()
        self._px = 0
        self._requests = 0
        self._rate = _FIRST_GUESS
        self._done_at = time.monotonic()

    @property
    def px(self) -> int:
        """In flight."""
        return self._px

    @property
    def requests(self) -> int:
        """In flight."""
        return self._requests

    def check(self) -> None:
        """Refuse before anything was read, where nothing can be let in.

        Raises:
            HttpError: 503, with the time after which to come again.
        """
        if self._px >= self._limit:
            raise self._full()

    @contextmanager
    def admit(self, px: int) -> Iterator[None]:
        """Hold the px of a request for as long as it is worked on.

        Raises:
            HttpError: 503, with the time after which to come again.
        """
        with self._lock:
            if self._px >= self._limit:
                raise self._full()
            if not self._px:
                self._done_at = time.monotonic()
            self._px += px
            self._requests += 1
        done = False
        try:
            yield
            done = True
        finally:
            with self._lock:
                self._px -= px
                self._requests -= 1
                if done:
                    self._learn(px)

    def _learn(self, px: int) -> None:
        """Px/s from the time between two requests that were done."""
        now = time.monotonic()
        seconds, self._done_at = max(now - self._done_at, 1e-3), now
        self._rate = _MEMORY * self._rate + (1 - _MEMORY) * px / seconds

    def _full(self) -> HttpError:
        """The answer when nothing more fits; half of what is in flight should be done by the time told."""
        wait = min(max(1, math.ceil(self._px / 2 / self._rate)), LONGEST_WAIT_S)
        return HttpError(
            503,
            f"{self._requests} requests with {self._px / 1e6:.0f} million pixels are being counted: no more fits",
            f"try again in {wait} s",
            headers={"Retry-After": str(wait)},
        )

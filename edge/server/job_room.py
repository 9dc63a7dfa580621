"""Room for jobs: how many may wait, and how many bytes may come, before anything is read of them."""

from __future__ import annotations

import math
import shutil
import threading
from functools import partial
from typing import TYPE_CHECKING

from edge.server.job_record import ENDED
from edge.server.problems import HttpError
from edge.server.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.server.job_store import JobStore
    from edge.server.settings import Settings

RESERVE_BYTES = 64 * MIB
"""Of the disk, which stay free for the ledger and for results."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 5, 600


class JobRoom:
    """Lets jobs in as long as there is room; safe to use from several threads."""

    def __init__(self, settings: Settings, store: JobStore) -> None:
        """Count what the ledger has, and what is on its way."""
        self._settings, self._store = settings, store
        self._lock = threading.Lock()
        self._coming = 0
        self._bytes = 0

    def take(self, size: int | None, wait_s: float) -> Callable[[], None]:
        """Hold a place for a job until it is in the ledger; gives what lets go of the place.

        Args:
            size: bytes that will come; None where nobody knows.
            wait_s: how long a job takes, s.

        Raises:
            HttpError: 413, 503 or 507.
        """
        most = self._settings.max_upload_bytes
        if size is not None and size > most:
            raise HttpError(413, f"the scene has {size:,} bytes, more than the {most:,} that are taken", "send less")
        with self._lock:
            self._check_number(wait_s)
            self._check_disk(size or 0)
            self._coming += 1
            self._bytes += size or 0
        return partial(self._let_go, size or 0)

    def _let_go(self, size: int) -> None:
        with self._lock:
            self._coming -= 1
            self._bytes -= size

    def _check_number(self, wait_s: float) -> None:
        """Whether one more may come; what is received in parts has its place from the first on, as it will wait."""
        numbers, most = self._store.numbers(), self._settings.max_waiting_jobs
        there = sum(number for state, number in numbers.items() if state not in ENDED)
        if there + self._coming < most:
            return
        wait = min(max(SHORTEST_WAIT_S, math.ceil(wait_s)), LONGEST_WAIT_S)
        raise HttpError(
            503,
            f"{there} jobs are received, wait or run: no more are taken",
            f"try again in {wait} s, or delete one",
            headers={"Retry-After": str(wait)},
        )

    def _check_disk(self, size: int) -> None:
        """Whether so many bytes more have room, beside all that are announced."""
        announced = self._bytes + self._store.promised()
        free = shutil.disk_usage(self._settings.state).free - announced - RESERVE_BYTES
        if size > free:
            cause = f"the server's disk has room for {max(free, 0):,} bytes more, not for {size:,}"
            raise HttpError(507, cause, "delete jobs that are no longer needed, or try again later")

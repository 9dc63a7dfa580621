"""Keeps the jobs in order: what an earlier server left when this one starts, and later whatever has had its time."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

from edge.server.job_parts import GIVEN_UP_S
from edge.server.problems import HttpError, problem

if TYPE_CHECKING:
    from edge.server.core import Core
    from edge.server.job_files import JobFiles
    from edge.server.job_parts import JobParts
    from edge.server.job_record import Job
    from edge.server.job_store import JobStore

LOG = logging.getLogger(__name__)
MOST_ATTEMPTS = 3
"""Starts of a job that may end in the death of the server."""
CLOCK_SET_S = 60.0
"""By how much the clock must differ from what has gone by to have been set, s."""
TIDY_S = 30.0
"""How often to look for what has expired, s, at the least."""
_SHORTEST_S = 0.05


class Janitor:
    """A thread that tidies now and then."""

    def __init__(self, core: Core, store: JobStore, files: JobFiles, parts: JobParts) -> None:
        """Not started yet."""
        self._core, self._store, self._files, self._parts = core, store, files, parts
        self._keep_s = core.settings.keep_s
        self._clock = time.time(), time.monotonic()
        self._thread = threading.Thread(target=self._work, name="janitor", daemon=True)

    def start(self) -> None:
        """Begin; it ends when the server stops."""
        self._thread.start()

    def close(self) -> None:
        """Wait for the thread; the server is stopping."""
        if self._thread.ident is not None:
            self._thread.join()

    def recover(self) -> None:
        """Let what an earlier server was running wait again, and delete files of no job."""
        for job in self._store.left_over():
            if job.attempts >= MOST_ATTEMPTS:
                cause = f"the server ended {job.attempts} times while it was running"
                self._fail(job, HttpError(500, cause, "look into the server's log; the scene may need more memory"))
            else:
                self._store.move(job.id, "waiting", started=None)
        holding = self._store.holding()
        orphans = self._files.sweep({job.id for job in holding})
        for job in holding:
            if job.state == "receiving" and not self._parts.recover(job):
                self._fail(job, HttpError(500, "some of what had been uploaded is gone", "send the scene again"))
        if orphans:
            LOG.info("orphans_removed", extra={"fields": {"folders": orphans}})

    def tidy(self) -> None:
        """Remove what has expired, give up uploads that do not go on, and forget what was removed long ago."""
        now = self._follow_clock()
        for job in self._store.overdue(now):
            if job.state == "receiving":
                self._fail(job, HttpError(408, "the upload was not finished in time", "send the scene again"))
            elif self._store.bury(job.id, now):
                self._files.remove(job.id)
        self._store.forget(now - self._keep_s)

    def _follow_clock(self) -> float:
        """The time; where the clock was set meanwhile, what expires does so when it would have.

        A device without a battery for its clock starts in 1970, and learns the date when it finds a network.
        """
        (earlier, steady_earlier), self._clock = self._clock, (time.time(), time.monotonic())
        now, steady = self._clock
        ahead = (now - earlier) - (steady - steady_earlier)
        if abs(ahead) > CLOCK_SET_S:
            LOG.warning("clock_was_set", extra={"fields": {"ahead_s": round(ahead)}})
            self._postpone(ahead, now)
        return now

    def _postpone(self, ahead: float, now: float) -> None:
        """Move what was written by the clock as it was: nothing else is due so early, or so late.

        What earlier servers wrote by the right clock stays as it is, as does what was written since the clock was set.
        """
        longest = max(self._keep_s, GIVEN_UP_S)
        if ahead > 0:
            self._store.postpone(ahead, -math.inf, now - ahead + longest)
        else:
            self._store.postpone(ahead, now + longest, math.inf)

    def _work(self) -> None:
        """Tidy now and then until the server stops."""
        pause = max(_SHORTEST_S, min(TIDY_S, self._keep_s / 4))
        while not self._core.life.stopping.wait(pause):
            try:
                self.tidy()
            except Exception:  # noqa: PERF203 - a full disk, for one; it may have room again
                LOG.exception("not_tidied")

    def _fail(self, job: Job, error: HttpError) -> None:
        """End a job that is not running."""
        now = time.time()
        told = problem(error).model_dump(exclude_none=True)
        if self._store.move(job.id, "failed", ended=now, expires=now + self._keep_s, error=told):
            self._core.metrics.failed(error, "job")
            self._files.remove(job.id)

"""Runs jobs, one after the other.

Results are on the disk before the ledger says that the job is done. A run that is cut short leaves its job waiting,
and what it had written is written again.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edge.errors import OutputError, TankerEdgeError
from edge.server.job_run import Run, problem_of
from edge.server.job_scene import fetch_scene, open_job, told_without
from edge.server.problems import HttpError
from edge.server.scoring import candidates, score_open
from edge.workers import be_patient

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.server.core import Core
    from edge.server.job_files import JobFiles
    from edge.server.job_record import Job
    from edge.server.job_store import JobStore

T = TypeVar("T")

LOG = logging.getLogger(__name__)
IDLE_S = 0.5
"""How often to look for work, s, where nobody calls."""
AGAIN_S = 1.0
"""After which to try again where the ledger cannot be written, s."""


class Runner:
    """A thread that runs what waits in the ledger."""

    def __init__(
        self, core: Core, store: JobStore, files: JobFiles, patience: int, *, most_px: int | None = None
    ) -> None:
        """Not started yet.

        Args:
            core: the server's.
            store: the ledger.
            files: of the jobs.
            patience: niceness of the thread.
            most_px: of the scenes that it takes; None takes any.
        """
        self._core, self._store, self._files, self._patience = core, store, files, patience
        self._begin = partial(store.begin, most_px)
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._call = threading.Event()
        self._run: Run | None = None
        self.last = 0.0, 0.0
        """When the last job ended, s of the steady clock, and how long it took, s."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def call(self) -> None:
        """Say that there may be work."""
        self._call.set()

    def stop(self, job_id: str) -> bool:
        """End the run of a job within a tile, and delete its files then; False where it is not running."""
        run = self._run
        if run is None or run.id != job_id:
            return False
        run.stop.set()
        return True

    def progress(self, job_id: str) -> tuple[int, int] | None:
        """Tiles done and planned; None for a job that is not running."""
        run = self._run
        return run.progress if run and run.id == job_id else None

    def close(self) -> None:
        """Wait for the thread; the server is stopping."""
        self.call()
        run = self._run
        if run:
            run.stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        """Take one job after the other until the server stops."""
        be_patient(self._patience)
        life = self._core.life
        while not life.stopping.is_set():
            self._call.clear()
            job = None
            try:
                job = self._insist(self._begin) if life.ready and not life.draining else None
                if job:
                    self._take(job)
            except Exception:  # the ledger cannot be written: the next start of the server finds the job as it is there
                LOG.exception("ledger_broke", extra={"fields": {"job": job.id if job else None}})
                life.stopping.wait(AGAIN_S)
            if job is None:
                self._call.wait(IDLE_S)

    def _take(self, job: Job) -> None:
        """Run a job, and bring it to its end in the ledger."""
        run, begun = Run(job.id), time.monotonic()
        self._run = run
        try:
            if self._is_wanted(job):
                self._settle(job, run, self._outcome(job, run))
            else:
                self._files.remove(job.id)
        finally:
            self._run = None
            ended = time.monotonic()
            self.last = ended, ended - begun

    def _is_wanted(self, job: Job) -> bool:
        """Whether nobody has cancelled a job before `stop` could find its run; whoever does so from now on finds it."""
        now = self._store.get(job.id)
        return now is not None and now.state == "running"

    def _outcome(self, job: Job, run: Run) -> dict[str, Any] | Exception:
        """The document of a job, or why there is none."""
        try:
            return self._count(job, run)
        except (TankerEdgeError, HttpError) as error:
            return error
        except Exception as error:
            if not run.stop.is_set():
                LOG.exception("job_broke", extra={"fields": {"job": job.id}})
            return error

    def _count(self, job: Job, run: Run) -> dict[str, Any]:
        """Count the scene of a job, and write its files."""
        core, files = self._core, self._files
        work = core.work(run.stop, patient=True, on_tile=run.on_tile)  # from here on the core's end sets run.stop
        if job.source == "url":
            fetch_scene(job, files, core.settings, run.stop)
        own = files.folder(job.id)
        with open_job(job, files, core.settings) as scene, told_without(own, Path(str(scene.path)).parent):
            counted, result = score_open(scene, job.count_options, work, files.area(job))
            files.write(job.id, counted, candidates(scene, work.detector, result))
        return counted

    def _settle(self, job: Job, run: Run, outcome: dict[str, Any] | Exception) -> None:
        """Write down how a run ended: done, failed, or waiting again; files of a job that was cancelled go."""
        done, planned = run.progress
        now = time.time()
        end = {"done": done, "planned": planned, "ended": now, "expires": now + self._core.settings.keep_s}
        if isinstance(outcome, dict):
            found = {key: outcome[key] for key in ("counts", "interval")}
            kept = self._insist(lambda: self._store.move(job.id, "done", **end, **found))
            if kept:
                self._core.metrics.counted(outcome, "job")
        elif run.stop.is_set():
            kept = self._core.life.stopping.is_set() and self._hand_back(job)
        else:
            kept = False
            told = problem_of(outcome)
            if self._insist(lambda: self._store.move(job.id, "failed", **end, error=told)):
                self._core.metrics.failed(outcome, "job")
        if not kept:
            self._files.remove(job.id)

    def _hand_back(self, job: Job) -> bool:
        """Let a job wait for the next start of the server; False where it was cancelled."""
        back = {"started": None, "attempts": job.attempts - 1}
        return self._insist(lambda: self._store.move(job.id, "waiting", **back))

    def _insist(self, call: Callable[[], T]) -> T:
        """Call until the ledger can be written: a full disk may have room again.

        Raises:
            OutputError: it could not, and the server is stopping.
        """
        while True:
            try:
                return call()
            except OutputError:  # noqa: PERF203 - seldom, and then the wait is longer
                LOG.exception("ledger_not_written")
                if self._core.life.stopping.wait(AGAIN_S):
                    raise

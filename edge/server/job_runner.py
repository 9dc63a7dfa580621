"""Runs the jobs, one after the other: a scene at a time has the threads that requests leave over.

Results are on the disk before the ledger says that the job is done. A run that is cut short leaves its job waiting,
and what it had written is written again.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from edge.errors import TankerEdgeError
from edge.server.job_scene import check_px, fetch_scene, open_job
from edge.server.problems import HttpError, problem, without_folder
from edge.server.scoring import candidates, score_open
from edge.workers import be_patient
from edge.write import document_json
from edge.write.atomic import write_text

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


@dataclass(slots=True)
class Run:
    """A job that is being run."""

    id: str
    stop: threading.Event = field(default_factory=threading.Event)
    progress: tuple[int, int] = (0, 0)
    """Tiles done and planned; replaced as a whole, so that any thread may look."""

    def on_tile(self, done: int, planned: int) -> None:
        """Take note of a tile; see `scan`."""
        self.progress = (done, planned)


class Runner:
    """A thread that runs what waits in the ledger."""

    def __init__(self, core: Core, store: JobStore, files: JobFiles, patience: int) -> None:
        """Not started yet.

        Args:
            core: the server's.
            store: the ledger.
            files: of the jobs.
            patience: niceness of the thread.
        """
        self._core, self._store, self._files, self._patience = core, store, files, patience
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
        self._call = threading.Event()
        self._run: Run | None = None
        self.last_s = 0.0
        """How long the last job took, s."""

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
        if self._run:
            self._run.stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        """Take one job after the other until the server stops."""
        be_patient(self._patience)
        life = self._core.life
        while not life.stopping.is_set():
            self._call.clear()
            job = self._insist(self._store.begin) if life.ready and not life.draining else None
            if job is None:
                self._call.wait(IDLE_S)
            else:
                begun = time.monotonic()
                self._take(job)
                self.last_s = time.monotonic() - begun

    def _take(self, job: Job) -> None:
        """Run a job, and bring it to its end in the ledger."""
        run = Run(job.id)
        self._run = run
        if self._core.life.stopping.is_set():
            run.stop.set()
        try:
            self._settle(job, run, self._outcome(job, run))
        finally:
            self._run = None

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
        folder = files.folder(job.id)
        if job.source == "url":
            job = fetch_scene(job, files, core.settings, run.stop)
            self._store.rename(job.id, job.scene)
        work = core.work(run.stop, patient=True, on_tile=run.on_tile)
        begun = time.perf_counter()
        with open_job(job, files, core.settings) as scene:
            opening = time.perf_counter() - begun
            try:
                check_px((scene.width, scene.height), core.settings.max_job_pixels, job.scene)
                counted, result = score_open(scene, job.count_options, work, files.area(job), opening)
                more = candidates(scene, work.detector, result)
            except TankerEdgeError as error:
                raise without_folder(without_folder(error, folder), scene.path.parent) from error
        files.write(job.id, counted, more)
        return counted

    def _settle(self, job: Job, run: Run, outcome: dict[str, Any] | Exception) -> None:
        """Write down how a run ended: done, failed, waiting again, or without a word where the job was cancelled."""
        now, done, planned = time.time(), *run.progress
        told: dict[str, Any] = {"done": done, "planned": planned}
        ended = {**told, "ended": now, "expires": now + self._core.settings.keep_s}
        if isinstance(outcome, dict):
            end = {"counts": outcome["counts"], "interval": outcome["interval"]}
            kept = self._move(job, "done", **ended, **end)
            if kept:
                self._core.metrics.counted(outcome, "job")
        elif run.stop.is_set() and self._core.life.stopping.is_set():
            kept = self._move(job, "waiting", started=None, attempts=job.attempts - 1)
        elif run.stop.is_set():
            kept = False
        else:
            self._move(job, "failed", **ended, error=problem_of(outcome))
            self._core.metrics.failed(outcome, "job")
            kept = False
        if not kept:
            self._files.remove(job.id)

"""Jobs: scenes too large for one request. Accepted once, run in their order, kept for a while, and then removed.

A job is accepted when its bytes and its row in the ledger are on the disk; only then the client is told so. From that
moment it ends done, failed with a reason, or cancelled, whatever happens to the server: what a server was running when
it died waits again at the next start, and fails where that has happened too often.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from edge.errors import OutputError
from edge.server.job_files import JobFiles
from edge.server.job_janitor import Janitor
from edge.server.job_parts import JobParts
from edge.server.job_record import Job, State, document
from edge.server.job_room import JobRoom
from edge.server.job_runners import Runners
from edge.server.job_scene import scene_path
from edge.server.job_store import JobStore
from edge.server.problems import HttpError, removed
from edge.workers import be_patient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.server.core import Core

LEDGER = "jobs.sqlite"
FOLDER = "jobs"
PORTERS = 2


class Jobs:
    """All jobs of a server."""

    def __init__(self, core: Core, patience: int) -> None:
        """Open the ledger and put in order what an earlier server left; nothing runs before `start`.

        Args:
            core: the server's.
            patience: niceness of the threads that work on jobs.

        Raises:
            OutputError: the ledger or the folder of jobs is not to be had.
        """
        self._core = core
        self.files = JobFiles(core.settings.state / FOLDER)
        self.on_removed = self.files.on_removed
        self.store = JobStore(core.settings.state / LEDGER)
        self.room = JobRoom(core.settings, self.store)
        self.parts = JobParts(core.settings, self.store, self.files)
        self.runner = Runners(core, self.store, self.files, patience)
        self.painter = ThreadPoolExecutor(1, "paint", be_patient, (patience,))
        """Draws overlays, one at a time."""
        self.porters = ThreadPoolExecutor(PORTERS, "accept")
        """Bring scenes that came to their place: a large one takes a while to be safe on the disk."""
        self.janitor = Janitor(core, self.store, self.files, self.parts)
        self.janitor.recover()

    def start(self) -> None:
        """Run what waits."""
        self.runner.start()
        self.janitor.start()

    def close(self) -> None:
        """Wait for what is running; the core has told it to stop, and it goes back to what waits."""
        self.runner.close()
        self.porters.shutdown(wait=True)
        self.painter.shutdown(wait=True, cancel_futures=True)
        self.janitor.close()
        self.store.close()

    def get(self, job_id: str) -> Job:
        """A job.

        Raises:
            HttpError: 404, there never was one (or nobody remembers); 410, it has been removed.
        """
        job = self.store.get(job_id)
        if job is None:
            raise HttpError(404, "there is no such job", "see /v1/jobs")
        if job.removed is not None:
            raise removed()
        return job

    def newest(self, state: State | None, limit: int) -> list[dict[str, Any]]:
        """Documents of jobs, the newest first."""
        return [self.document(job) for job in self.store.newest(state, limit)]

    def document(self, job: Job) -> dict[str, Any]:
        """What clients see of a job."""
        return document(job, self.runner.progress(job.id))

    def version(self, job_id: str) -> tuple[object, ...]:
        """Differs from an earlier one if the document of the job may differ."""
        return self.store.version(job_id), self.runner.progress(job_id)

    def folder(self, job_id: str) -> Path:
        """Where the files of a job lie."""
        return self.files.folder(job_id)

    def scene_path(self, job: Job) -> Path:
        """Where the scene of a job lies.

        Raises:
            HttpError: 403 or 404, it was named by a path that may not be read, or no longer leads to a file.
        """
        return scene_path(job, self.files, self._core.settings)

    def accept(self, job: Job, put: Callable[[], None] | None = None) -> tuple[Job, bool]:
        """Enter a job, once its files are on the disk.

        Args:
            job: new, with an id of its own.
            put: puts its files there.

        Returns:
            The job, and whether it is new: where its key is known it is that key's, and nothing else is kept.

        Raises:
            HttpError: 409, the key is that of another request; 410, its job has been removed.
            OutputError: the disk is full.
        """
        try:
            if put:
                put()
            kept, new = self.store.add(job)
        except BaseException as error:
            self.files.remove(job.id)
            if isinstance(error, OSError):
                cause = f"the server cannot keep it ({error.strerror})"
                raise OutputError("scene", cause, "try again later, or tell its operator") from error
            raise
        if new:
            self.runner.call()
            return kept, True
        self.files.remove(job.id)
        return self._same(kept, job.fingerprint), False

    def _same(self, job: Job, fingerprint: str | None) -> Job:
        """See `accept`."""
        if job.fingerprint != fingerprint:
            cause = "the Idempotency-Key is that of another request"
            raise HttpError(409, cause, "use a new key for each job", subject=job.key)
        return self.get(job.id)

    def delete(self, job_id: str) -> None:
        """Cancel a job that has not ended, remove one that has.

        Raises:
            HttpError: 404.
        """
        if self.store.get(job_id) is None:
            raise HttpError(404, "there is no such job", "see /v1/jobs")
        now = time.time()
        if self.store.move(job_id, "cancelled", ended=now, expires=now + self._core.settings.keep_s):
            if not self.runner.stop(job_id):  # else the runner does it, when it has let go of them
                self.files.remove(job_id)
        elif self.store.bury(job_id, now):
            self.files.remove(job_id)

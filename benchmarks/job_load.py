"""A large job that runs for as long as it is wanted, again and again, and how fast it goes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.children import SideError
from benchmarks.server_child import call

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from benchmarks.common import Document

JOBS = "/v1/jobs"
ENDED = ("done", "failed", "cancelled")
_LOOK_S = 0.25
_ACCEPTED = (200, 202)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the jobs were at a moment."""

    at_s: float
    """time.monotonic"""
    tiles: int
    """Done since the first job began, over all jobs."""
    jobs: int
    """That have ended."""


def rate(rows: list[Progress], begin: float, end: float) -> float | None:
    """Tiles a second between two moments; None where nobody looked twice."""
    seen = [row for row in rows if begin <= row.at_s <= end]
    if len(seen) < 2 or seen[-1].at_s <= seen[0].at_s:  # noqa: PLR2004 - two make a difference
        return None
    return (seen[-1].tiles - seen[0].tiles) / (seen[-1].at_s - seen[0].at_s)


class JobLoad:
    """Has a scene counted as a job, and again when that is done, until the block ends."""

    def __init__(self, port: int, scene: Path) -> None:
        """Of a server that may read the scene by its path."""
        self.rows: list[Progress] = []
        self.seconds: list[float] = []
        """Of each job that was done, as the client sees it."""
        self.error: str | None = None
        self._port, self._scene = port, scene
        self._over, self._first = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> JobLoad:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Start; wait until the first tile is done.

        Raises:
            SideError: the server takes no job, or fails at it.
        """
        self._thread.start()
        self._first.wait()
        if self.error:
            raise SideError(self.error)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it; a job that runs is cancelled."""
        self._over.set()
        self._thread.join()

    def wait(self) -> None:
        """Wait until a job that runs is done.

        Raises:
            SideError: it failed.
        """
        ended = len(self.seconds)
        while len(self.seconds) == ended and not self.error:
            time.sleep(_LOOK_S)
        if self.error:
            raise SideError(self.error)

    def _run(self) -> None:
        before = 0
        try:
            while not self._over.is_set():
                before += self._one(before)
        except (SideError, OSError) as error:
            self.error = str(error)
        self._first.set()

    def _one(self, before: int) -> int:
        """One job; its tiles."""
        begun = time.monotonic()
        status, job = call(self._port, "POST", JOBS, {"path": str(self._scene)})
        if status not in _ACCEPTED:
            message = f"POST {JOBS} answers {status}: {job.get('detail', job)}"
            raise SideError(message)
        target = f"{JOBS}/{job['id']}"
        while not self._over.wait(_LOOK_S):
            status, job = call(self._port, "GET", target)
            done = self._note(before, job)
            if job.get("state") in ENDED:
                self._end(job, time.monotonic() - begun)
                return done
        call(self._port, "DELETE", target)
        return 0

    def _note(self, before: int, job: Document) -> int:
        """Keep how far a job is; its tiles."""
        done = int((job.get("progress") or {}).get("done") or 0)
        self.rows.append(Progress(time.monotonic(), before + done, len(self.seconds)))
        if done:
            self._first.set()
        return done

    def _end(self, job: Document, seconds: float) -> None:
        """A job has ended."""
        if job["state"] != "done":
            message = f"the job is {job['state']}: {(job.get('error') or {}).get('detail')}"
            raise SideError(message)
        self.seconds.append(round(seconds, 2))

"""The runners of jobs: one takes any, another small ones only, which do not wait behind a scene that takes hours.

Their scans share the threads that requests leave over, a tile each in turn. Each takes what has waited longest of that
which it may take; the ledger gives each job to one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.server.job_runner import Runner

if TYPE_CHECKING:
    from edge.server.core import Core
    from edge.server.job_files import JobFiles
    from edge.server.job_store import JobStore

SMALL_PX = 100_000_000
"""Of a small scene, at most: some 12 s of work for two cores, and 300 MB where it is no TIFF."""


class Runners:
    """All runners of a server, as one."""

    def __init__(self, core: Core, store: JobStore, files: JobFiles, patience: int) -> None:
        """Not started yet; see `Runner`."""
        self._all = tuple(Runner(core, store, files, patience, most_px=most) for most in (SMALL_PX, None))
        """Small jobs are rather taken by the first, and leave the other to large ones."""

    @property
    def last_s(self) -> float:
        """How long the job took that ended last, s."""
        return max(runner.last for runner in self._all)[1]

    def start(self) -> None:
        """Begin."""
        for runner in self._all:
            runner.start()

    def call(self) -> None:
        """Say that there may be work."""
        for runner in self._all:
            runner.call()

    def stop(self, job_id: str) -> bool:
        """End the run of a job within a tile, and delete its files then; False where it is not running."""
        return any(runner.stop(job_id) for runner in self._all)

    def progress(self, job_id: str) -> tuple[int, int] | None:
        """Tiles done and planned; None for a job that is not running."""
        return next((told for runner in self._all if (told := runner.progress(job_id))), None)

    def close(self) -> None:
        """Wait for the threads; the server is stopping."""
        for runner in self._all:
            runner.close()

"""What all routes share: one engine, one door, one place for jobs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated
from weakref import WeakSet

from fastapi import Depends, Request

from edge.batching import MOST_AT_ONCE
from edge.server.admission import Admission
from edge.server.jobs import Jobs
from edge.server.metrics import Metrics
from edge.server.scoring import Work
from edge.server.views import Views
from edge.session import BATCHED, cores
from edge.workers import FairPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from edge.server.served import Served
    from edge.server.settings import Settings

PATIENCE = 10
"""Niceness of the threads that work on jobs: where both are busy, a request gets nine tenths of a core (sched(7))."""
SMALL_PX = 1_500_000
"""Up to this a scene is a tile or two."""
SCANNERS, LARGE_SCANNERS = 8, 4
"""Small and large scenes of requests that are read side by side; each has a few tiles in memory, and its px if it is no
TIFF. Threads of their own let a small one begin while large ones have all of theirs."""
CLERKS = 8


@dataclass(slots=True)
class Life:
    """Where the server is between its start and its end."""

    ready: bool = False
    """Takes work. False while it starts, and from SIGTERM on."""
    draining: bool = False
    """Takes no new work any more; what runs may end."""
    requests: int = 0
    """That are being answered, event streams left out; only the event loop writes it."""
    streams: int = 0
    """Event streams; as above."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when running work must end."""


class Core:
    """The engine and its surroundings."""

    def __init__(self, settings: Settings, served: Served) -> None:
        """Start the threads; `close` ends them."""
        batches = served.detector.provider in BATCHED  # whose batches are made of what is under way in threads
        threads = settings.threads or (MOST_AT_ONCE if batches else cores())
        self.settings, self.served = settings, served
        self.life = Life()
        self.metrics = Metrics()
        self._stops: WeakSet[threading.Event] = WeakSet()
        """Of what runs."""
        self._listing = threading.Lock()
        self.jobs = Jobs(self, PATIENCE)
        self.admission = Admission(settings.max_inflight_pixels)
        self.urgent = FairPool(threads, "request")
        """Networks of requests."""
        self.patient = FairPool(threads, "job", PATIENCE)
        """Networks of jobs."""
        self._scanners = ThreadPoolExecutor(SCANNERS, thread_name_prefix="scan")
        self._large_scanners = ThreadPoolExecutor(LARGE_SCANNERS, thread_name_prefix="scan-large")
        self.clerks = ThreadPoolExecutor(CLERKS, thread_name_prefix="clerk")
        """Look into files and write them, briefly."""
        self.views = Views(PATIENCE, self.life.stopping)
        """Show scenes of jobs."""
        self.jobs.on_removed.append(self.views.forget)
        self.metrics.watch(self)

    def work(
        self, stop: threading.Event, *, patient: bool = False, on_tile: Callable[[int, int], None] | None = None
    ) -> Work:
        """How to count a scene that begins now."""
        settings = self.settings
        pool, pixels = (
            (self.patient, settings.max_decoded_pixels) if patient else (self.urgent, settings.max_request_pixels)
        )
        with self._listing:
            self._stops.add(stop)
        if self.life.stopping.is_set():
            stop.set()
        return Work(self.served.detector, pool.lane, pixels, stop, on_tile)

    def scanners(self, px: int) -> Executor:
        """Threads that read the scene of a request of so many px."""
        return self._scanners if px <= SMALL_PX else self._large_scanners

    def stop(self) -> None:
        """End what runs, within a tile."""
        self.life.ready = False
        self.life.stopping.set()
        with self._listing:
            for stop in self._stops:
                stop.set()

    def close(self) -> None:
        """End what runs, and the threads."""
        self.stop()
        for scanners in (self._scanners, self._large_scanners):
            scanners.shutdown(wait=True, cancel_futures=True)
        self.clerks.shutdown(wait=True, cancel_futures=True)
        self.views.close()
        self.jobs.close()
        self.urgent.close()
        self.patient.close()


async def _core(request: Request) -> Core:  # a plain function would wait for a thread
    core: Core = request.app.state.core
    return core


TheCore = Annotated[Core, Depends(_core)]
"""A parameter of a route: the server's core."""

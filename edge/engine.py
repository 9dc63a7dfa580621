"""Tiles through a detector: read, run and decoded side by side, bounded, in order, and stopped all at once.

The calling thread reads each tile into one of a few buffers that are made once; a pool of workers runs the network on
them, one a core. So reading goes on while networks run, and no more tiles are in memory than there are buffers.
Outcomes come in the order of the tiles, whichever is done first.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import SceneError, StoppedError
from edge.featureless import is_featureless
from edge.workers import Lanes, own_lanes

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterable, Sequence
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from edge.aoi import Aoi
    from edge.detections import Detections
    from edge.detector import Detector
    from edge.geometry import Window
    from edge.plan import Plan
    from edge.scene import Scene
    from edge.tiling import Tile

SPARE = 1
"""Buffers beyond one a worker: the tile that is being read."""
AHEAD = 4
"""Batches a worker that may be done before the first of them is."""


@dataclass(slots=True)
class Outcome:
    """One tile, done."""

    tile: Tile
    asked: int
    """Px of the core that were asked for."""
    covered: int = 0
    """Of these, px that were valid and seen: by the network, or by the test for plain water."""
    rows: Detections | None = None
    """What was found, px of the tile; None where the network did not run."""
    error: SceneError | None = None


@dataclass(slots=True)
class Spent:
    """Seconds, summed over the threads."""

    read: float = 0.0
    infer: float = 0.0


@dataclass(frozen=True, slots=True)
class Engine:
    """What tiles go through."""

    scene: Scene
    detector: Detector
    threads: int
    batch: int = 1
    skip: bool = True
    """Leave out tiles that are plain all over."""
    stop: threading.Event | None = None
    """When set, the next step ends with StoppedError."""
    spent: Spent = field(default_factory=Spent)
    lanes: Lanes | None = None
    """Where the network runs; None for threads of its own."""

    def run(
        self, plan: Plan, tiles: Sequence[Tile], aoi: Aoi | None, floor: float | None = None
    ) -> Generator[Outcome, None, None]:
        """Outcomes of tiles of one size, in their order.

        Args:
            plan: where the tiles come from.
            tiles: those to run.
            aoi: only tiles whose core it touches are read.
            floor: least score of a candidate; None for the model's.

        Raises:
            ProviderError: the network failed. A tile that cannot be read is an outcome.
            StoppedError: `stop` was set.
        """
        if not tiles:
            return
        window = tiles[0].window
        buffers: queue.SimpleQueue[NDArray[np.uint8]] = queue.SimpleQueue()
        batch = min(self.batch, len(tiles))
        for _ in range(min(self.threads + SPARE, -(-len(tiles) // batch))):
            buffers.put(np.empty((batch, window.height, window.width, 3), np.uint8))
        with (self.lanes or own_lanes(self.threads, "infer"))() as pool:
            pending: deque[tuple[list[Outcome], Future[float] | None]] = deque()
            try:
                for start in range(0, len(tiles), batch):
                    pixels = buffers.get()
                    self.check_stopped()
                    _raise_first(pending)
                    outcomes, ready = self._read(plan, tiles[start : start + batch], aoi, pixels)
                    if ready:
                        pending.append((outcomes, pool.submit(self._infer, ready, pixels, floor, buffers)))
                    else:
                        buffers.put(pixels)
                        pending.append((outcomes, None))
                    while pending and (_is_done(pending[0][1]) or len(pending) > AHEAD * self.threads):
                        yield from self._done(*pending.popleft())
                while pending:
                    yield from self._done(*pending.popleft())
            finally:  # an error, a stop, or a caller that wants no more: nothing new begins
                pool.shutdown(wait=True, cancel_futures=True)

    def check_stopped(self) -> None:
        """End here where the caller wants no more.

        Raises:
            StoppedError: `stop` was set.
        """
        if self.stop is not None and self.stop.is_set():
            raise StoppedError(self.scene.name, "was stopped before it was done", "start it again")

    def _done(self, outcomes: list[Outcome], running: Future[float] | None) -> list[Outcome]:
        self.check_stopped()
        if running is not None:
            self.spent.infer += running.result()
        return outcomes

    def _infer(
        self,
        ready: list[Outcome],
        pixels: NDArray[np.uint8],
        floor: float | None,
        buffers: queue.SimpleQueue[NDArray[np.uint8]],
    ) -> float:
        """Run the first tiles of a buffer, hand it back; seconds."""
        start = time.perf_counter()
        try:
            for outcome, rows in zip(ready, self.detector.find(pixels[: len(ready)], floor), strict=True):
                outcome.rows = rows
        finally:
            buffers.put(pixels)
        return time.perf_counter() - start

    def _read(
        self, plan: Plan, tiles: Sequence[Tile], aoi: Aoi | None, pixels: NDArray[np.uint8]
    ) -> tuple[list[Outcome], list[Outcome]]:
        """Fill a buffer; outcomes of all tiles, and those whose px stand in the buffer, in its order."""
        start = time.perf_counter()
        outcomes: list[Outcome] = []
        ready: list[Outcome] = []
        for tile in tiles:
            wanted = aoi.mask(tile.core, plan.scale) if aoi else None
            outcome = Outcome(tile, tile.core.width * tile.core.height if wanted is None else int(wanted.sum()))
            outcomes.append(outcome)
            if outcome.asked and self._read_one(plan, outcome, wanted, pixels[len(ready)]):
                ready.append(outcome)
        self.spent.read += time.perf_counter() - start
        return outcomes, ready

    def _read_one(
        self, plan: Plan, outcome: Outcome, wanted: NDArray[np.bool_] | None, pixels: NDArray[np.uint8]
    ) -> bool:
        """Read a tile's px (h, w, 3); whether the network must see them."""
        tile = outcome.tile
        try:
            valid = self.scene.read_into(tile.window, plan.scale, pixels, quick=plan.quick)
        except SceneError as error:
            outcome.error = error
            return False
        outcome.covered = _covered(tile, valid, wanted, outcome.asked)
        if valid is not None and not valid.any():
            return False
        return not (self.skip and is_featureless(pixels, valid))


def _raise_first(pending: Iterable[tuple[list[Outcome], Future[float] | None]]) -> None:
    """Raise what a worker failed with, though tiles before its own are still under way."""
    for _, running in pending:
        if running is not None and running.done():
            running.result()


def _is_done(running: Future[float] | None) -> bool:
    return running is None or running.done()


def _covered(tile: Tile, valid: NDArray[np.bool_] | None, wanted: NDArray[np.bool_] | None, asked: int) -> int:
    """Px of a tile's core that were asked for and are valid."""
    if valid is None:
        return asked
    seen = valid[_inside(tile.core, tile.window)]
    return int((seen & wanted).sum() if wanted is not None else seen.sum())


def _inside(part: Window, window: Window) -> tuple[slice, slice]:
    """Rows and columns of a window that show a part of it."""
    left, top = part.x - window.x, part.y - window.y
    return slice(top, top + part.height), slice(left, left + part.width)

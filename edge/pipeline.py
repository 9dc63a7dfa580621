"""scan(): a scene's tiles through a detector, overlapped, bounded and ordered.

Each worker reads a few tiles, runs them and decodes them, so that reading and inference of different tiles overlap; a
bounded number of them is under way at any time. The merger takes results in any order and its answer does not depend
on it: the same scene and model give the same vessels at every batch size and thread count.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.errors import SceneError, UsageError
from edge.merge import SeamMerger
from edge.preprocess import fit_tile, stack
from edge.scene import Scale, choose_scale
from edge.tiling import Tile, plan_tiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.aoi import Aoi
    from edge.detections import Detections
    from edge.detector import Detector
    from edge.geometry import Window
    from edge.model_card import ModelCard
    from edge.scene import Scene

MAX_LENGTH_M = 400.0
"""Longest vessel to expect, m: the longest tankers afloat are 380 m (TI class), the longest ships 400 m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """How to scan; none of it but the lengths, the scale and the threshold may change the answer."""

    threshold: float | None = None
    """Score from which a vessel counts; None for the card's."""
    max_length_m: float = MAX_LENGTH_M
    """Longest vessel, m: the overlap of the tiles follows from it where the GSD is known."""
    scale: Scale | None = None
    """Resampling of the scene; None to choose it by the GSD."""
    threads: int = 0
    """Workers; 0 for one a core."""
    batch: int = 1
    """Tiles that go through the network at once."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError("--conf", f"{self.threshold} is not in 0 .. 1", "give a score such as 0.25")
        if not 0 < self.max_length_m < math.inf:
            raise UsageError("--max-length", f"{self.max_length_m} m is not a length", "give metres, such as 400")
        if self.batch < 1 or self.threads < 0:
            raise UsageError("--batch/--threads", "must be positive", "leave them out to let the program choose")


@dataclass(slots=True)
class TileCounts:
    """What became of the planned tiles."""

    planned: int = 0
    scored: int = 0
    skipped: int = 0
    """Nothing was asked there, or no pixel was valid."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The vessels of a scene, and how far they can be trusted."""

    candidates: Detections
    """All kept boxes, px of the scene, also those below the threshold."""
    threshold: float
    scale: Scale
    gsd_m: float | None
    """GSD of the frame that the network saw, m/px."""
    overlap_px: int
    tile_px: int
    coverage: float
    tiles: TileCounts
    seconds: dict[str, float]
    warnings: list[str] = field(default_factory=list)

    @property
    def found(self) -> Detections:
        """The vessels that count."""
        return self.candidates[self.candidates.score >= self.threshold]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a scene is cut."""

    scale: Scale
    width: int
    """Of the working frame, px."""
    height: int
    tile_px: int
    overlap_px: int
    gsd_m: float | None
    tiles: Sequence[Tile]
    warnings: list[str]


def plan_scan(scene: Scene, detector: Detector, options: ScanOptions) -> Plan:
    """Choose the resampling, the tile size and the overlap for a scene.

    Raises:
        UsageError: the longest vessel does not fit into a tile, or the threshold is below the model's floor.
    """
    card = detector.card
    if options.threshold is not None and options.threshold < card.score_floor:
        raise UsageError(
            "--conf",
            f"{options.threshold} is below {card.score_floor}, where this model's boxes end",
            f"give at least {card.score_floor}",
        )
    scale = options.scale or choose_scale(scene.gsd_m, card.gsd_m)
    width, height = scene.working_size(scale)
    tile_px = fit_tile(width, height, card.tile_px, card.multiple_px)
    gsd = scene.gsd_m / scale.factor if scene.gsd_m else None
    overlap = math.ceil(options.max_length_m / gsd) if gsd else min(round(card.length_px[1]), card.tile_px // 2)
    tiled = max(width, height) > tile_px
    warnings = _frame_warnings(scene, card, gsd, overlap / scale.factor if tiled else math.inf)
    if not tiled:
        overlap = 0
    elif overlap >= card.tile_px:
        raise UsageError(
            "--max-length",
            f"a vessel of {options.max_length_m:.0f} m is {overlap} px long, more than a tile of {card.tile_px} px",
            f"give less than {card.tile_px * (gsd or 1):.0f} m",
        )
    return Plan(scale, width, height, tile_px, overlap, gsd, plan_tiles(width, height, tile_px, overlap), warnings)


def _frame_warnings(scene: Scene, card: ModelCard, gsd: float | None, whole_px: float) -> list[str]:
    """What the resolution means for the answer; vessels of up to `whole_px` px of the scene are seen whole."""
    if gsd is None:
        parts = f", and vessels longer than {whole_px:.0f} px may be found in parts" if whole_px < math.inf else ""
        return [f"the GSD is not known (--gsd): nothing is given in metres, --max-length has no effect{parts}"]
    low, high = card.gsd_m
    slack = 1e-3  # the GSD of a georeferenced file is not a round number
    if not low * (1 - slack) <= gsd <= high * (1 + slack):
        seen = f"at {gsd:.3g} m/px, outside the {low:g} to {high:g} m/px of the model"
        return [f"a scene of {scene.gsd_m:.3g} m/px is seen {seen}: expect misses and inventions"]
    if gsd != scene.gsd_m:
        return [f"resampled from {scene.gsd_m:.3g} to {gsd:.3g} m/px, into the range of the model"]
    return []


@dataclass(slots=True)
class _Outcome:
    """One tile, done."""

    tile: Tile
    asked: int
    """Px of the core that were asked for."""
    covered: int = 0
    """Of these, px that were valid and went through the network."""
    rows: Detections | None = None
    error: SceneError | None = None


class _Worker:
    """Reads, runs and decodes a few tiles at a time; several threads share one."""

    def __init__(self, scene: Scene, detector: Detector, plan: Plan, aoi: Aoi | None) -> None:
        self._scene, self._detector, self._plan, self._aoi = scene, detector, plan, aoi

    def __call__(self, tiles: Sequence[Tile]) -> tuple[list[_Outcome], float, float]:
        """Outcomes of the tiles, and the seconds spent reading and in the network."""
        start = time.perf_counter()
        outcomes, pictures, ready = [], [], []
        for tile in tiles:
            outcome, picture = self._read(tile)
            outcomes.append(outcome)
            if picture is not None:
                pictures.append(picture)
                ready.append(outcome)
        middle = time.perf_counter()
        if pictures:
            for outcome, rows in zip(ready, self._detector.find(stack(pictures)), strict=True):
                outcome.rows = rows
        return outcomes, middle - start, time.perf_counter() - middle

    def _read(self, tile: Tile) -> tuple[_Outcome, NDArray[np.uint8] | None]:
        wanted = self._wanted(tile.core)
        outcome = _Outcome(tile, int(wanted.sum()) if wanted is not None else tile.core.width * tile.core.height)
        if outcome.asked == 0:
            return outcome, None
        try:
            picture, valid = self._scene.read(tile.window, self._plan.scale)
        except SceneError as error:
            outcome.error = error
            return outcome, None
        left, top = tile.core.x - tile.window.x, tile.core.y - tile.window.y
        seen = valid[top : top + tile.core.height, left : left + tile.core.width]
        outcome.covered = int((seen & wanted).sum() if wanted is not None else seen.sum())
        return outcome, (picture if valid.any() else None)

    def _wanted(self, core: Window) -> NDArray[np.bool_] | None:
        return self._aoi.mask(core, self._plan.scale) if self._aoi else None


def _in_order(
    work: _Worker, chunks: Sequence[Sequence[Tile]], threads: int
) -> Iterator[tuple[list[_Outcome], float, float]]:
    """Results in the order of the chunks, with a bounded number of them under way; an error stops all of it."""
    with ThreadPoolExecutor(threads, thread_name_prefix="scan") as pool:
        pending: deque[Future[tuple[list[_Outcome], float, float]]] = deque()
        waiting = iter(chunks)
        try:
            for chunk in waiting:
                pending.append(pool.submit(work, chunk))
                if len(pending) > 2 * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def scan(
    scene: Scene,
    detector: Detector,
    options: ScanOptions | None = None,
    aoi: Aoi | None = None,
    on_tile: Callable[[int, int], None] | None = None,
    order: Sequence[int] | None = None,
) -> ScanResult:
    """Find the vessels of a scene, or of the part of it inside `aoi`.

    Args:
        scene: an open scene.
        detector: a loaded model.
        options: how to scan.
        aoi: only what is inside is scored and counted.
        on_tile: called after each batch with the number of tiles done and planned.
        order: the order in which to go through the plan's tiles, if not row by row.

    Raises:
        UsageError: the options do not fit the scene.
        ProviderError: the network failed. A tile that cannot be read is no error here: it lowers the coverage.
    """
    options = options or ScanOptions()
    start = time.perf_counter()
    plan = plan_scan(scene, detector, options)
    tiles = list(plan.tiles) if order is None else [plan.tiles[i] for i in order]
    chunks = [tiles[i : i + options.batch] for i in range(0, len(tiles), options.batch)]
    merger = SeamMerger(plan.width, plan.height)
    counts, spent = TileCounts(planned=len(tiles)), {"read": 0.0, "infer": 0.0}
    errors: dict[int, SceneError] = {}
    asked = covered = done = 0
    threads = options.threads or cores()
    for outcomes, reading, inferring in _in_order(_Worker(scene, detector, plan, aoi), chunks, threads):
        spent["read"] += reading
        spent["infer"] += inferring
        for outcome in outcomes:
            asked += outcome.asked
            if outcome.rows is not None:
                merger.add(outcome.tile, outcome.rows)
                covered += outcome.covered
                counts.scored += 1
            elif outcome.error is not None:
                errors[outcome.tile.index] = outcome.error
                counts.failed += 1
            else:
                counts.skipped += 1
        done += len(outcomes)
        if on_tile:
            on_tile(done, len(tiles))
    merging = time.perf_counter()
    candidates = _merged(plan, merger, aoi)
    looking = time.perf_counter()
    if detector.teller and len(candidates):
        candidates = detector.teller.tell(scene, candidates, plan.scale.factor, threads)
    end = time.perf_counter()
    return ScanResult(
        candidates,
        detector.card.score_threshold if options.threshold is None else options.threshold,
        plan.scale,
        plan.gsd_m,
        plan.overlap_px,
        plan.tile_px,
        covered / asked if asked else 0.0,
        counts,
        {"total": end - start, **spent, "merge": looking - merging, "look": end - looking},
        [*plan.warnings, *(aoi.warnings if aoi else []), *_failures(errors), *_unseen(covered, asked)],
    )


def _merged(plan: Plan, merger: SeamMerger, aoi: Aoi | None) -> Detections:
    """What the tiles said as one, in the scene's frame, as far as it was asked for."""
    rows = merger.finish().scaled(1 / plan.scale.factor)
    return rows if aoi is None else rows[aoi.contains(rows.xywhr[:, :2])]


def _unseen(covered: int, asked: int) -> list[str]:
    """Say it where a part of what was asked for was not seen: no vessel there is no finding."""
    if covered == asked:
        return []
    return [f"{100 * (1 - covered / asked) if asked else 100:.3g} % of the area was not seen: no count is known there"]


def _failures(errors: dict[int, SceneError]) -> list[str]:
    """One line for all tiles that could not be read, with the cause of the first; not a line a tile."""
    if not errors:
        return []
    return [f"{len(errors)} tile(s) could not be read; the first: {errors[min(errors)].cause}"]

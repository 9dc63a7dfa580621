"""scan(): a scene's tiles through a detector, each vessel once.

The merger takes tiles in any order and its answer does not depend on it: the same scene and model give the same vessels
at every batch size and thread count.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge.coarse import by_size, chips_round, coarse_scale, confirmed, not_shown
from edge.detections import Detections
from edge.engine import Engine, Outcome
from edge.merge import SeamMerger
from edge.plan import MAX_LENGTH_M, Plan, ScanOptions, plan_scan
from edge.session import cores

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from edge.aoi import Aoi
    from edge.detector import Detector
    from edge.errors import SceneError
    from edge.scene import Scale, Scene
    from edge.tiling import Tile

__all__ = ["MAX_LENGTH_M", "Plan", "ScanOptions", "ScanResult", "TileCounts", "plan_scan", "scan"]


@dataclass(slots=True)
class TileCounts:
    """What became of the planned tiles."""

    planned: int = 0
    scored: int = 0
    skipped: int = 0
    """Nothing was asked there, no pixel was valid, or all of it is plain."""
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
    coarse: Scale | None = None
    """Where vessels were found coarsely first: at which scale."""

    @property
    def found(self) -> Detections:
        """The vessels that count."""
        return self.candidates[self.candidates.score >= self.threshold]


@dataclass(slots=True)
class _Tally:
    """What became of tiles and px, over all steps of a scan."""

    on_tile: Callable[[int, int], None] | None
    counts: TileCounts = field(default_factory=TileCounts)
    errors: dict[tuple[int, int], SceneError] = field(default_factory=dict)
    """By top and left of the window."""
    asked: int = 0
    covered: int = 0

    def add(self, outcome: Outcome) -> None:
        if outcome.rows is not None:
            self.counts.scored += 1
        elif outcome.error is not None:
            self.errors[outcome.tile.window.y, outcome.tile.window.x] = outcome.error
            self.counts.failed += 1
        else:
            self.counts.skipped += 1
        if self.on_tile:
            done = self.counts.scored + self.counts.failed + self.counts.skipped
            self.on_tile(done, self.counts.planned)

    def warnings(self) -> list[str]:
        """What could not be read, with the first cause, and what was not seen: no vessel there is no finding."""
        told = []
        if self.errors:
            first = self.errors[min(self.errors)].cause
            told.append(f"{len(self.errors)} tile(s) could not be read; the first: {first}")
        if self.covered != self.asked or not self.asked:
            unseen = 100 * (1 - self.coverage)
            told.append(f"{unseen:.3g} % of the area was not seen: no count is known there")
        return told

    @property
    def coverage(self) -> float:
        return self.covered / self.asked if self.asked else 0.0


def scan(
    scene: Scene,
    detector: Detector,
    options: ScanOptions | None = None,
    aoi: Aoi | None = None,
    on_tile: Callable[[int, int], None] | None = None,
    order: Sequence[int] | None = None,
    *,
    stop: threading.Event | None = None,
) -> ScanResult:
    """Find the vessels of a scene, or of the part of it inside `aoi`.

    Args:
        scene: an open scene.
        detector: a loaded model.
        options: how to scan.
        aoi: only what is inside is scored and counted.
        on_tile: called with the number of tiles done and planned.
        order: the order in which to go through the plan's tiles, if not row by row.
        stop: setting it ends the scan.

    Raises:
        UsageError: the options do not fit the scene.
        ProviderError: the network failed. A tile that cannot be read is no error here: it lowers the coverage.
        StoppedError: `stop` was set.
    """
    options = options or ScanOptions()
    start = time.perf_counter()
    plan = plan_scan(scene, detector, options)
    coarse = None if options.exhaustive else _coarse_plan(scene, detector, options, plan)
    engine = Engine(scene, detector, options.threads or cores(), options.batch, skip=not options.exhaustive, stop=stop)
    tally, clock = _Tally(on_tile), _Clock()
    if coarse:
        candidates = _coarse_to_fine(engine, coarse, plan, aoi, tally, clock)
    else:
        tiles = plan.tiles if order is None else [plan.tiles[i] for i in order]
        candidates = _search(engine, plan, tiles, aoi, tally, clock)
    candidates = candidates.scaled(1 / plan.scale.factor)
    if aoi is not None:
        candidates = candidates[aoi.contains(candidates.xywhr[:, :2])]
    looking = time.perf_counter()
    if detector.teller and len(candidates):
        candidates = detector.teller.tell(scene, candidates, plan.scale.factor, engine.threads)
    if plan.gsd_m is not None:
        candidates = candidates[candidates.xywhr[:, 2] * plan.gsd_m * plan.scale.factor >= options.min_length_m]
    end = time.perf_counter()
    used = coarse or plan
    return ScanResult(
        candidates,
        detector.card.score_threshold if options.threshold is None else options.threshold,
        plan.scale,
        plan.gsd_m,
        used.overlap_px,
        used.tile_px,
        tally.coverage,
        tally.counts,
        {
            "total": end - start,
            "read": engine.spent.read,
            "infer": engine.spent.infer,
            "merge": clock.merge,
            "look": end - looking,
        },
        [*plan.warnings, *_no_lengths(plan, options), *(aoi.warnings if aoi else []), *tally.warnings()],
        coarse.scale if coarse else None,
    )


def _no_lengths(plan: Plan, options: ScanOptions) -> list[str]:
    """Say that vessels cannot be left out by their length."""
    if not options.min_length_m or plan.gsd_m is not None:
        return []
    return ["--min-length has no effect: without a GSD no length is known"]


@dataclass(slots=True)
class _Clock:
    """Seconds of steps that are not the engine's."""

    merge: float = 0.0


def _search(
    engine: Engine, plan: Plan, tiles: Sequence[Tile], aoi: Aoi | None, tally: _Tally, clock: _Clock
) -> Detections:
    """What the tiles find, each vessel once, px of the plan's frame."""
    return _run(engine, plan, [tiles], aoi, tally, clock)[0]


def _run(  # noqa: PLR0913 - the parts of one step
    engine: Engine,
    plan: Plan,
    groups: Sequence[Sequence[Tile]],
    aoi: Aoi | None,
    tally: _Tally,
    clock: _Clock,
    *,
    floor: float | None = None,
    close_up: bool = False,
) -> tuple[Detections, list[Tile]]:
    """What groups of tiles of one size find, each vessel once, and the tiles that failed.

    Args:
        engine: runs them.
        plan: its frame is theirs.
        groups: the tiles.
        aoi: what is asked for.
        tally: counts them.
        clock: takes the time of merging.
        floor: least score of a candidate; None for the model's.
        close_up: they look again at what others have covered.
    """
    merger, failed = SeamMerger(plan.width, plan.height), []
    tally.counts.planned += sum(len(tiles) for tiles in groups)
    for tiles in groups:
        for outcome in engine.run(plan, tiles, aoi, floor):
            tally.add(outcome)
            if outcome.rows is not None:
                merger.add(outcome.tile, outcome.rows)
            if outcome.error is not None:
                failed.append(outcome.tile)
            if not close_up:
                tally.asked += outcome.asked
                tally.covered += outcome.covered if outcome.error is None else 0
    start = time.perf_counter()
    rows = merger.finish()
    clock.merge += time.perf_counter() - start
    return rows, failed


def _coarse_plan(scene: Scene, detector: Detector, options: ScanOptions, plan: Plan) -> Plan | None:
    """How to find coarsely first; None where that is not allowed, or has nothing to gain."""
    scale = coarse_scale(plan.scale, plan.gsd_m, detector.card.coarse, options.min_length_m)
    return replace(plan_scan(scene, detector, replace(options, scale=scale)), quick=True) if scale else None


def _coarse_to_fine(
    engine: Engine, coarse: Plan, fine: Plan, aoi: Aoi | None, tally: _Tally, clock: _Clock
) -> Detections:
    """What chips of the fine plan find round what tiles of the coarse one find, px of the fine plan's frame."""
    card = engine.detector.card.coarse
    floor = card.score if card else None
    seen, _ = _run(engine, coarse, [coarse.tiles], aoi, tally, clock, floor=floor)
    seen = seen.scaled(fine.scale.factor / coarse.scale.factor)
    chips = chips_round(seen, (fine.width, fine.height))
    close = replace(engine, skip=False)
    rows, failed = _run(close, fine, list(by_size(chips)), aoi, tally, clock, close_up=True)
    rows = confirmed(rows, seen)
    if not failed:
        return rows
    # A chip that cannot be read takes nothing back: what was seen coarsely there stands.
    lost = set(map(id, failed))
    unconfirmed = not_shown(seen, [chip for chip in chips if id(chip) not in lost])
    return Detections.concat([rows, unconfirmed[unconfirmed.score >= engine.detector.card.score_floor]])

"""scan(): a scene's tiles through a detector, each vessel once.

The merger takes tiles in any order and its answer does not depend on it: the same scene and model give the same vessels
at every batch size and thread count.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from edge.coarse import by_size, chips_round, coarse_scale, confirmed, long_enough, not_shown, whole
from edge.detections import Detections
from edge.engine import Engine, Outcome
from edge.errors import SceneError
from edge.merge import SeamMerger
from edge.plan import MAX_LENGTH_M, Plan, ScanOptions, plan_scan
from edge.session import cores
from edge.workers import Lanes, own_lanes

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from edge.aoi import Aoi
    from edge.detector import Detector
    from edge.scene import Scale, Scene
    from edge.tiling import Tile

__all__ = [
    "MAX_LENGTH_M",
    "Hooks",
    "Plan",
    "ScanOptions",
    "ScanResult",
    "TileCounts",
    "plan_scan",
    "raise_if_unseen",
    "scan",
]


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
    """GSD of the working frame, m/px."""
    overlap_px: int
    """Of the tiles in which vessels were found, px of their frame: the coarse one where there is one."""
    tile_px: int
    """See overlap_px."""
    coverage: float
    tiles: TileCounts
    seconds: dict[str, float]
    warnings: list[str] = field(default_factory=list)
    coarse: Scale | None = None
    """Where vessels were found coarsely first: at which scale."""
    min_length_m: float = 0.0
    """Shorter vessels were left out."""
    exhaustive: bool = False
    """Every tile was looked at, at the working scale."""

    @property
    def found(self) -> Detections:
        """The vessels that count."""
        return self.candidates[self.candidates.score >= self.threshold]


@dataclass(frozen=True, slots=True)
class Hooks:
    """How a caller takes part in a scan. Nothing here changes the answer."""

    on_tile: Callable[[int, int], None] | None = None
    """Called with the number of tiles done and planned."""
    stop: threading.Event | None = None
    """Setting it ends the scan."""
    lanes: Lanes | None = None
    """Where the networks run; None for threads of the scan's own."""


@dataclass(slots=True)
class _Tally:
    """What became of tiles, px and time, over all steps of a scan."""

    on_tile: Callable[[int, int], None] | None
    counts: TileCounts = field(default_factory=TileCounts)
    errors: dict[tuple[int, int], SceneError] = field(default_factory=dict)
    """By top and left of the window."""
    asked: int = 0
    covered: int = 0
    merging_s: float = 0.0

    def add(self, outcome: Outcome, *, again: bool) -> None:
        """Count a tile; its px too, unless it looks `again` at what others have covered."""
        if outcome.rows is not None:
            self.counts.scored += 1
        elif outcome.error is not None:
            self.errors[outcome.tile.window.y, outcome.tile.window.x] = outcome.error
            self.counts.failed += 1
        else:
            self.counts.skipped += 1
        if not again:
            self.asked += outcome.asked
            self.covered += outcome.covered if outcome.error is None else 0
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


@dataclass(frozen=True, slots=True)
class _Search:
    """Runs tiles of a scene and merges what they find."""

    engine: Engine
    aoi: Aoi | None
    tally: _Tally

    def tiles(self, plan: Plan, order: Sequence[int] | None = None, *, again: bool = False) -> Detections:
        """What the tiles of a plan find, each vessel once, px of the plan's frame."""
        tiles = plan.tiles if order is None else [plan.tiles[i] for i in order]
        return self.run(plan, [tiles], again=again)[0]

    def coarse_to_fine(self, coarse: Plan, fine: Plan, min_length_m: float) -> Detections:
        """What chips of the fine plan find round what tiles of the coarse one find, px of the fine plan's frame."""
        card = self.engine.detector.card
        seen, _ = self.run(coarse, [coarse.tiles], floor=card.coarse.score if card.coarse else None)
        if not self.tally.asked:  # an area of interest that is smaller than a coarse px
            return self.tiles(fine)
        seen = seen.scaled(fine.scale.factor / coarse.scale.factor)
        seen = long_enough(seen, min_length_m / (fine.gsd_m or 1))
        frame = (fine.width, fine.height)
        chips = chips_round(seen, frame)
        if sum(c.window.width**2 for c in chips) >= len(fine.tiles) * fine.tile_px**2:
            return self.tiles(fine, again=True)  # so many candidates that looking everywhere is less work
        close = replace(self, engine=replace(self.engine, skip=False))
        rows, failed = close.run(fine, list(by_size(chips)), again=True, chips=True)
        rows = confirmed(rows, seen)
        if not failed:
            return rows
        # A chip that cannot be read takes nothing back: what was seen coarsely there stands.
        lost = set(map(id, failed))
        standing = not_shown(seen[seen.score >= card.score_floor], [c for c in chips if id(c) not in lost], rows)
        both = Detections.concat([rows, standing])
        return both[np.lexsort((both.score, both.xywhr[:, 0], both.xywhr[:, 1]))]

    def run(
        self,
        plan: Plan,
        groups: Sequence[Sequence[Tile]],
        floor: float | None = None,
        *,
        again: bool = False,
        chips: bool = False,
    ) -> tuple[Detections, list[Tile]]:
        """What groups of tiles of one size find, each vessel once, and the tiles that failed.

        Args:
            plan: its frame is theirs.
            groups: the tiles.
            floor: least score of a candidate; None for the model's.
            again: they look again at what others have covered.
            chips: only vessels that are whole in a tile count.
        """
        merger, failed = SeamMerger(plan.width, plan.height), []
        self.tally.counts.planned += sum(len(tiles) for tiles in groups)
        for tiles in groups:
            with closing(self.engine.run(plan, tiles, self.aoi, floor)) as outcomes:
                for outcome in outcomes:
                    self.tally.add(outcome, again=again)
                    if outcome.rows is not None:
                        rows = whole(outcome.rows, outcome.tile, (plan.width, plan.height)) if chips else outcome.rows
                        merger.add(outcome.tile, rows)
                    if outcome.error is not None:
                        failed.append(outcome.tile)
        self.engine.check_stopped()
        start = time.perf_counter()
        merged = merger.finish()
        self.tally.merging_s += time.perf_counter() - start
        return merged, failed


def scan(
    scene: Scene,
    detector: Detector,
    options: ScanOptions | None = None,
    aoi: Aoi | None = None,
    hooks: Hooks | None = None,
    order: Sequence[int] | None = None,
) -> ScanResult:
    """Find the vessels of a scene, or of the part of it inside `aoi`.

    Args:
        scene: an open scene.
        detector: a loaded model.
        options: how to scan.
        aoi: only what is inside is scored and counted.
        hooks: how to follow and end it, and whose threads it uses.
        order: the order in which to go through the plan's tiles, if not row by row; coarse to fine has its own.

    Raises:
        UsageError: the options do not fit the scene.
        ProviderError: the network failed. A tile that cannot be read is no error here: it lowers the coverage.
        StoppedError: `hooks.stop` was set.
    """
    options, hooks = options or ScanOptions(), hooks or Hooks()
    start = time.perf_counter()
    plan = plan_scan(scene, detector, options)
    coarse = _coarse_plan(scene, detector, options, plan)
    threads = options.threads or cores()
    lanes = hooks.lanes or own_lanes(threads, "scan")
    engine = Engine(scene, detector, threads, options.batch, not options.exhaustive, hooks.stop, lanes=lanes)
    search = _Search(engine, aoi, _Tally(hooks.on_tile))
    candidates = search.coarse_to_fine(coarse, plan, options.min_length_m) if coarse else search.tiles(plan, order)
    candidates = candidates.scaled(1 / plan.scale.factor)
    if aoi is not None:
        candidates = candidates[aoi.contains(candidates.xywhr[:, :2])]
    if scene.gsd_m is not None:
        candidates = candidates[candidates.xywhr[:, 2] * scene.gsd_m >= options.min_length_m]
    looking = time.perf_counter()
    if detector.teller and len(candidates):
        candidates = detector.teller.tell(scene, candidates, plan.scale.factor, lanes, engine.check_stopped)
    engine.check_stopped()
    end = time.perf_counter()
    used, tally = coarse or plan, search.tally
    return ScanResult(
        candidates,
        threshold=detector.card.score_threshold if options.threshold is None else options.threshold,
        scale=plan.scale,
        gsd_m=plan.gsd_m,
        overlap_px=used.overlap_px,
        tile_px=used.tile_px,
        coverage=tally.coverage,
        tiles=tally.counts,
        seconds={
            "total": end - start,
            "read": engine.spent.read,
            "infer": engine.spent.infer,
            "merge": tally.merging_s,
            "look": end - looking,
        },
        warnings=[*plan.warnings, *_no_lengths(plan, options), *(aoi.warnings if aoi else []), *tally.warnings()],
        coarse=coarse.scale if coarse else None,
        min_length_m=options.min_length_m,
        exhaustive=options.exhaustive,
    )


def raise_if_unseen(scene: Scene, result: ScanResult) -> None:
    """Refuse a result in which nothing was seen because nothing could be read: a failure, and no count of none.

    Raises:
        SceneError: no tile could be read.
    """
    if result.tiles.failed and not result.coverage:
        told = next(warning for warning in result.warnings if "could not be read" in warning)
        raise SceneError(scene.path, f"nothing of it was seen: {told}", "copy or download it again")


def _no_lengths(plan: Plan, options: ScanOptions) -> list[str]:
    """Say that vessels cannot be left out by their length."""
    if not options.min_length_m or plan.gsd_m is not None:
        return []
    return ["--min-length has no effect: without a GSD no length is known"]


def _coarse_plan(scene: Scene, detector: Detector, options: ScanOptions, plan: Plan) -> Plan | None:
    """How to find coarsely first; None where that is not allowed, or has nothing to gain."""
    card = detector.card.coarse
    if options.exhaustive or card is None or detector.precision not in card.precisions:
        return None
    scale = coarse_scale(plan.scale, scene.gsd_m, card, options.min_length_m)
    return replace(plan_scan(scene, detector, replace(options, scale=scale)), quick=True) if scale else None

"""How a scene is scanned: the options, and the resampling, tile size and overlap that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import UsageError
from edge.preprocess import fit_tile
from edge.scale import Scale, choose_scale
from edge.tiling import Tile, best_side, plan_tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.detector import Detector
    from edge.model_card import ModelCard
    from edge.scene import Scene

MAX_LENGTH_M = 400.0
"""Longest vessel to expect, m: the longest tankers afloat are 380 m (TI class), the longest ships 400 m."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanOptions:
    """How to scan. Threads and batch never change the answer; the rest may."""

    threshold: float | None = None
    """Score from which a vessel counts; None for the card's."""
    max_length_m: float = MAX_LENGTH_M
    """Longest vessel, m: the overlap of the tiles follows from it where the GSD is known."""
    min_length_m: float = 0.0
    """Shortest vessel that counts, m, where the GSD is known; above 0 the scene may be searched coarsely first."""
    scale: Scale | None = None
    """Resampling of the scene; None to choose it by the GSD."""
    threads: int = 0
    """Workers; 0 for one a core."""
    batch: int = 1
    """Tiles that go through the network at once."""
    tile_px: int | None = None
    """Side of the tiles, px of the working frame; None to choose it."""
    overlap_px: int | None = None
    """What neighbouring tiles share, px of the working frame; None for the longest vessel."""
    exhaustive: bool = False
    """Run the network on every tile at the working scale: nothing plain is skipped, nothing is found coarsely first."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError("--conf", f"{self.threshold} is not in 0 .. 1", "give a score such as 0.25")
        if not 0 < self.max_length_m < math.inf:
            raise UsageError("--max-length", f"{self.max_length_m} m is not a length", "give metres, such as 400")
        if not 0 <= self.min_length_m < self.max_length_m:
            fault = f"{self.min_length_m} m is not from 0 to below --max-length, {self.max_length_m} m"
            raise UsageError("--min-length", fault, "give metres, such as 25")
        if self.batch < 1 or self.threads < 0:
            raise UsageError("--batch/--threads", "must be positive", "leave them out to let the program choose")
        if (self.tile_px is not None and self.tile_px < 1) or (self.overlap_px is not None and self.overlap_px < 0):
            raise UsageError("--tile/--overlap", "must be positive", "leave them out to let the program choose")


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
    quick: bool = False
    """Pixels may come from what the file offers cheaply, see `edge.scene.Scene.read`."""


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
    gsd = scene.gsd_m / scale.factor if scene.gsd_m else None
    overlap = _overlap(card, options, gsd)
    largest = _largest_tile(card, options)
    if max(width, height) <= largest:
        side, overlap = fit_tile(width, height, largest, card.multiple_px), 0
    elif overlap >= largest:
        raise _too_long(options, overlap, largest, gsd)
    elif options.tile_px:
        side = largest
    else:
        side = best_side((width, height), overlap, range(largest, card.tile_most_px + 1, card.multiple_px))
    whole_px = overlap / scale.factor if overlap else math.inf
    tiles = plan_tiles(width, height, side, overlap)
    return Plan(scale, width, height, side, overlap, gsd, tiles, _warnings(scene, card, gsd, whole_px))


def _overlap(card: ModelCard, options: ScanOptions, gsd: float | None) -> int:
    """What neighbouring tiles share, px: the longest vessel."""
    if options.overlap_px is not None:
        return options.overlap_px
    return math.ceil(options.max_length_m / gsd) if gsd else min(round(card.length_px[1]), card.tile_px // 2)


def _largest_tile(card: ModelCard, options: ScanOptions) -> int:
    """Side that the model or the user wants, px."""
    wanted = options.tile_px or card.tile_px
    if wanted % card.multiple_px:
        raise UsageError("--tile", f"{wanted} px is no multiple of {card.multiple_px} px", "give one, such as 640")
    return wanted


def _too_long(options: ScanOptions, overlap: int, largest: int, gsd: float | None) -> UsageError:
    if options.overlap_px is not None:
        return UsageError("--overlap", f"{overlap} px is not less than a tile of {largest} px", "give less")
    return UsageError(
        "--max-length",
        f"a vessel of {options.max_length_m:.0f} m is {overlap} px long, more than a tile of {largest} px",
        f"give less than {largest * (gsd or 1):.0f} m",
    )


def _warnings(scene: Scene, card: ModelCard, gsd: float | None, whole_px: float) -> list[str]:
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

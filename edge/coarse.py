"""Coarse to fine: find at the coarsest scale that serves, then look closely round what was found, and nowhere else.

Halving the px a side of a scene quarters the work, and loses the small craft: so it serves who counts vessels from some
length on. How far it may go, and how unsure a candidate may be, the card says; `training.quantize` measured it. Close
up, chips of the working scale go through the same network and have the last word: a candidate that they do not confirm
is dropped, and corners are theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Detections
from edge.geometry import Floats, Window, envelopes
from edge.pairs import overlapping_pairs
from edge.scale import Scale
from edge.tiling import Tile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edge.model_card import CoarseCard

SIDES = (256, 384, 512, 768)
"""Sides of chips, px: a few sizes, so that a runtime plans its memory for a few shapes only."""
_STEP = 256
"""Beyond these, sides are multiples of it."""
MARGIN_PX = 64
"""Water round the envelope of a candidate, px, and at least MARGIN_SHARE of its longer side."""
MARGIN_SHARE = 0.4
ALONGSIDE = 1.0
"""Beams of a candidate, to either side of it, on which another hull's centre may lie."""
EDGE_PX = 8
"""What a chip finds nearer to its edge than this is left to others: it may be cut there."""
ROUGHLY = 0.6
"""Of a vessel's length, that its coarse box has at the least."""
_SLACK = 1e-3


def coarse_scale(working: Scale, gsd_m: float | None, card: CoarseCard, min_length_m: float) -> Scale | None:
    """The coarsest scale at which vessels of a length are found, for a scene whose px are `gsd_m` metres.

    None where it is no coarser than the working scale, or the GSD is not known.
    """
    if gsd_m is None or working.up > 1:
        return None
    coarsest = min(card.gsd_m, min_length_m / card.sure_px)
    down = int(coarsest / gsd_m * (1 + _SLACK))
    return Scale(down=down) if down > working.down else None


def long_enough(candidates: Detections, least_px: float) -> Detections:
    """Candidates that may be so long when seen close up: a coarse length is rough."""
    return candidates[candidates.xywhr[:, 2] >= ROUGHLY * least_px]


def chips_round(candidates: Detections, frame: tuple[int, int]) -> list[Tile]:
    """Square windows of a frame (width, height px) that show each candidate whole, with water round it.

    A candidate that an earlier chip shows anyway gets none of its own; the longest come first.
    """
    bounds = envelopes(candidates.corners)
    longest = (bounds[:, 2:] - bounds[:, :2]).max(1, initial=0.0)
    margin = np.maximum(MARGIN_PX, MARGIN_SHARE * longest)[:, None]
    wanted = np.concatenate([bounds[:, :2] - margin, bounds[:, 2:] + margin], 1)
    wanted = np.clip(wanted, 0, [*frame, *frame])
    tiles: list[Tile] = []
    shown: Floats = np.empty((0, 4))
    for i in np.lexsort((bounds[:, 0], bounds[:, 1], -longest)):
        if ((shown[:, :2] <= wanted[i, :2]) & (shown[:, 2:] >= wanted[i, 2:])).all(1).any():
            continue
        window = _square(wanted[i], frame)
        tiles.append(Tile(len(tiles), window, _core(window, frame)))
        shown = np.concatenate([shown, [[window.x, window.y, window.right, window.bottom]]])
    return tiles


def _square(wanted: Floats, frame: tuple[int, int]) -> Window:
    """A window of one of a few sizes round a rectangle (4,), inside the frame where that is large enough."""
    need = float((wanted[2:] - wanted[:2]).max())
    side = next((s for s in SIDES if s >= need), -(-int(np.ceil(need)) // _STEP) * _STEP)
    x, y = (
        int(np.clip(round((low + high - side) / 2), 0, max(extent - side, 0)))
        for low, high, extent in zip(wanted[:2], wanted[2:], frame, strict=True)
    )
    return Window(x, y, side, side)


def _core(window: Window, frame: tuple[int, int]) -> Window:
    """What a chip has a say about: all of it but a rim, where that rim is not the frame's own."""
    left, top = (start + EDGE_PX * (start > 0) for start in (window.x, window.y))
    right, bottom = (
        min(stop, extent) - EDGE_PX * (stop < extent)
        for stop, extent in zip((window.right, window.bottom), frame, strict=True)
    )
    return Window(left, top, right - left, bottom - top)


def by_size(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Tiles of each size, the smallest first, from top to bottom: the order in which a scene is read cheaply."""
    for side in sorted({t.window.width for t in tiles}):
        group = [t for t in tiles if t.window.width == side]
        yield sorted(group, key=lambda t: (t.window.y, t.window.x))


def confirmed(found: Detections, candidates: Detections) -> Detections:
    """Those close-up finds (px of one frame) that lie on a candidate, or alongside it.

    A chip shows a network little of the surroundings, and so more that looks like a vessel; what nothing hinted at from
    further off is not believed. But hulls alongside each other may be one candidate from further off.
    """
    grown = candidates.xywhr.copy()
    grown[:, 3] *= 1 + 2 * ALONGSIDE
    wide = Detections.of(grown, candidates.score)
    pairs = overlapping_pairs(envelopes(found.corners), envelopes(wide.corners))
    near = np.zeros(len(found), np.bool_)
    near[pairs[_on(found, wide, pairs) | _on(candidates, found, pairs[:, ::-1]), 0]] = True
    return found[near]


def _on(points: Detections, boxes: Detections, pairs: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether the centre of points[i] lies on boxes[j], for pairs (m, 2) of i and j."""
    box = boxes.xywhr[pairs[:, 1]]
    offset = points.xywhr[pairs[:, 0], :2] - box[:, :2]
    cos, sin = np.cos(box[:, 4]), np.sin(box[:, 4])
    along = np.abs(offset[:, 0] * cos + offset[:, 1] * sin)
    across = np.abs(offset[:, 1] * cos - offset[:, 0] * sin)
    return np.asarray((along <= box[:, 2] / 2) & (across <= box[:, 3] / 2))


def whole(found: Detections, tile: Tile, frame: tuple[int, int]) -> Detections:
    """Those finds of a chip (px of the chip) that no edge of it cuts, or may have cut; the frame's own edges cut none.

    Each candidate is whole in a chip, with water round it: what is cut here is a part of what another chip shows.
    """
    window = tile.window
    bounds = envelopes(found.corners) + np.array([window.x, window.y, window.x, window.y])
    core = np.array([tile.core.x, tile.core.y, tile.core.right, tile.core.bottom], np.float64)
    core = np.where(core == [0, 0, *frame], [-np.inf, -np.inf, np.inf, np.inf], core)
    inside = np.concatenate([bounds[:, :2] >= core[:2], bounds[:, 2:] <= core[2:]], 1)
    return found[np.asarray(inside.all(1))]


def not_shown(candidates: Detections, tiles: Sequence[Tile], found: Detections) -> Detections:
    """The candidates whose centre lies in the core of none of the tiles, and that are none of those found."""
    centre = candidates.xywhr[:, :2]
    free = np.ones(len(candidates), np.bool_)
    for tile in tiles:
        free &= ~tile.core.contains(centre)
    pairs = overlapping_pairs(envelopes(candidates.corners), envelopes(found.corners))
    free[pairs[_on(candidates, found, pairs) | _on(found, candidates, pairs[:, ::-1]), 0]] = False
    return candidates[free]

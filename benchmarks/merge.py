"""Seconds to merge the boxes of many tiles: medians over a few runs, at several sizes.

    python -m benchmarks.merge [--boxes 1000 10000 100000 1000000] [--runs 5] [--smoke]

The vessels do not overlap, are 8 to 120 px long and lie at any angle, about as close as in a busy anchorage: some 35
boxes a tile. Each tile sees each vessel up to 2 px off, and cut where its edge cuts it. Making all this is not timed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Detections
from edge.geometry import Floats, round_visible, to_corners
from edge.merge import SeamMerger
from edge.tiling import Tile, plan_tiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TILE_PX, OVERLAP_PX = 640, 128
CLASSES = ((8.0, 30.0, 32), (30.0, 60.0, 64), (60.0, 120.0, 128))
"""Shortest and longest vessel, and the side of the cell that one has for itself, px."""
SPACE_PX = 11_000.0
"""px² of water a vessel."""
BOXES_A_VESSEL = (TILE_PX / (TILE_PX - OVERLAP_PX)) ** 2
OFF_PX = 2.0
LEAST_SHARE = 0.75
"""A box keeps at least this share of its length and its beam on its vessel: it is still a detection of it."""
SMOKE = (1_000, 5_000)


def make_vessels(rng: np.random.Generator, side: int) -> Floats:
    """Vessels (n, 5) on a frame of side x side px, one to a cell, lengths log-uniform; no two overlap."""
    cells = side // CLASSES[-1][2]
    shortest, longest = CLASSES[0][0], CLASSES[-1][1]
    vessels = []
    # Each large cell belongs to one class of lengths, so that there are as many of each as a log-uniform law has.
    shares = np.array([np.log(high / low) / np.log(longest / shortest) for low, high, _ in CLASSES])
    room = shares * [cell**2 for _, _, cell in CLASSES]
    filled = room.sum() / SPACE_PX
    whose = rng.choice(len(CLASSES), cells**2, p=room / room.sum())
    for number, (low, high, cell) in enumerate(CLASSES):
        row, column = np.divmod(np.flatnonzero(whose == number), cells)
        parts = CLASSES[-1][2] // cell
        inner = np.stack(np.meshgrid(np.arange(parts), np.arange(parts)), -1).reshape(-1, 2)
        corner = (np.stack([column, row], 1)[:, None] * CLASSES[-1][2] + inner * cell).reshape(-1, 2)
        corner = corner[rng.random(len(corner)) < filled]
        length = np.exp(rng.uniform(np.log(low), np.log(high), len(corner)))
        # Half the cell less half the diagonal is how far the centre may stray.
        beam = length * rng.uniform(0.14, 0.25, len(corner))
        free = np.maximum(cell - np.hypot(length, beam), 0.0)[:, None]
        centre = corner + cell / 2 + rng.uniform(-0.5, 0.5, corner.shape) * free
        vessels.append(np.column_stack([centre, length, beam, rng.uniform(0, np.pi, len(corner))]))
    return np.concatenate(vessels)


def _offset(rng: np.random.Generator, boxes: Floats) -> Floats:
    """Boxes (n, 5) moved by up to OFF_PX px in x and y, small ones less."""
    by = rng.uniform(-OFF_PX, OFF_PX, (len(boxes), 2))
    cos, sin = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    lost = np.maximum(
        np.abs(by[:, 0] * cos + by[:, 1] * sin) / boxes[:, 2], np.abs(by[:, 1] * cos - by[:, 0] * sin) / boxes[:, 3]
    )
    moved = boxes.copy()
    moved[:, :2] += by * np.minimum(1.0, (1 - LEAST_SHARE) / np.maximum(lost, 1e-9))[:, None]
    return moved


def _pairs(vessels: Floats, side: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which vessel shows in which tile of a square plan: indices of vessels and of tiles."""
    corners = to_corners(vessels)
    starts = np.array(sorted({t.window.x for t in plan_tiles(side, TILE_PX, TILE_PX, OVERLAP_PX)}))
    first = np.searchsorted(starts, corners.min(1) - TILE_PX, side="right")
    counts = np.searchsorted(starts, corners.max(1), side="left") - first
    number = counts.prod(1)
    vessel = np.repeat(np.arange(len(vessels)), number)
    place = np.arange(len(vessel)) - np.repeat(np.cumsum(number) - number, number)
    row, column = np.divmod(place, counts[vessel, 0])
    return vessel, (first[vessel, 1] + row) * len(starts) + first[vessel, 0] + column


def make_input(boxes: int, seed: int = 0) -> tuple[int, list[tuple[Tile, Detections]], int]:
    """Side of the frame in px, what each tile says (about `boxes` boxes in all), and the number of vessels."""
    rng = np.random.default_rng(seed)
    side = max(TILE_PX, round(np.sqrt(boxes / BOXES_A_VESSEL * SPACE_PX)))
    vessels = make_vessels(rng, side)
    tiles = plan_tiles(side, side, TILE_PX, OVERLAP_PX)
    vessel, tile = _pairs(vessels, side)
    windows = np.array([(t.window.x, t.window.y, t.window.right, t.window.bottom) for t in tiles], np.float64)
    shown = round_visible(vessels[vessel], np.clip(windows, 0, side)[tile])
    shows = (shown[:, 2] > 1) & (shown[:, 3] > 1)
    tile, shown = tile[shows], _offset(rng, shown[shows])
    order = np.argsort(tile, kind="stable")
    tile, shown = tile[order], shown[order]
    shown[:, :2] -= windows[tile, :2]
    score = rng.uniform(0.3, 1.0, len(tile))
    ends = np.searchsorted(tile, np.arange(len(tiles) + 1))
    parts = [Detections.of(shown[a:b], score[a:b]) for a, b in itertools.pairwise(ends)]
    return side, list(zip(tiles, parts, strict=True)), len(np.unique(vessel))


def measure(boxes: int, runs: int) -> dict[str, float | int]:
    """Median seconds of some runs, after one that does not count."""
    side, parts, expected = make_input(boxes)
    walls = []
    for number in range(runs + 1):
        begun = time.perf_counter()
        merger = SeamMerger(side, side)
        for tile, rows in parts:
            merger.add(tile, rows)
        found = merger.finish()
        if number:
            walls.append(time.perf_counter() - begun)
    return {
        "boxes": sum(len(rows) for _, rows in parts),
        "tiles": len(parts),
        "s": round(statistics.median(walls), 5),
        "vessels": len(found),
        "expected": expected,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merge", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--boxes", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000], help="of all tiles"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="two small sizes, one run: does it work at all")
    args = parser.parse_args(argv)
    sizes, runs = (SMOKE, 1) if args.smoke else (args.boxes, args.runs)
    rows = []
    print(f"{'boxes':>9} {'seconds':>9} {'us/box':>8} {'vessels':>9} {'expected':>9}")
    for boxes in sizes:
        row = measure(boxes, runs)
        rows.append(row)
        each = row["s"] / row["boxes"] * 1e6
        print(f"{row['boxes']:>9} {row['s']:>9.4f} {each:>8.3f} {row['vessels']:>9} {row['expected']:>9}", flush=True)
    print(json.dumps({"benchmark": "merge", "runs": runs, "tile_px": TILE_PX, "overlap_px": OVERLAP_PX, "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

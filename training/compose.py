"""Training samples, drawn anew each time: crops of tiles, turned, scaled and recoloured, one to four on a canvas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.geometry import Floats, Window, from_corners
from training.dataset import MIN_VISIBLE, tile_labels
from training.looks import degrade, recolour
from training.metrics import long_sides
from training.mine import CANDIDATES, NOTHING
from training.sources import read_picture

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

WORKING_GSD_M = (0.8, 3.5)
"""GSD at which the network is to see vessels, m/px; a little wider than what the runtime resamples to."""
FREE_SCALE = (0.45, 2.6)
"""Factors drawn where a picture's GSD is not known."""
MAX_UP = 4.0
HARD_TILE = 3.0
"""How much oftener a tile with mined inventions is drawn than another of its set."""
HARD_SHARE = 0.4
"""How often such a tile is shown round one of them."""
LENGTH_PX = (8.0, 420.0)
"""Lengths that a vessel may have on the canvas, px."""


@dataclass(frozen=True, slots=True)
class TileRecord:
    """One row of the dataset's index."""

    image: Path
    source: str
    gsd_m: float | None
    corners: Floats
    """Vessels, shape (n, 4, 2) px of the tile."""
    kinds: NDArray[np.int64]
    """Classes, shape (n,)."""
    ignored: tuple[Floats, ...]
    """Polygons to hide, (k, 2) px each."""
    inventions: Floats
    """What a model took for vessels and is none (training.mine): centre x, y and length, shape (m, 3) px."""


def read_index(dataset: Path, split: str) -> list[TileRecord]:
    """Tiles of one split, in the order of the index."""
    records = []
    inventions = _inventions(dataset)
    for line in (dataset / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["split"] != split:
            continue
        vessels = np.array(row["vessels"], np.float64).reshape(-1, 9)
        records.append(
            TileRecord(
                dataset / row["image"],
                row["source"],
                row["gsd_m"],
                vessels[:, 1:].reshape(-1, 4, 2),
                vessels[:, 0].astype(np.int64),
                tuple(np.array(p, np.float64).reshape(-1, 2) for p in row["ignored"]),
                inventions.get(Path(row["image"]).name, np.empty((0, 3))),
            )
        )
    return records


def _inventions(dataset: Path) -> dict[str, Floats]:
    """Mined inventions (m, 3) by the tile's file name; none where nothing was mined."""
    path = dataset / CANDIDATES
    out = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        mined = json.loads(line)
        quads = [c["corners"] for c in mined["candidates"] if c["is"] == NOTHING]
        if quads:
            out[Path(mined["image"]).name] = from_corners(np.array(quads, np.float64).reshape(-1, 4, 2))[:, :3]
    return out


class Composer:
    """Draws samples; picks a set by its weight first, then one of its tiles."""

    def __init__(self, records: list[TileRecord], weights: dict[str, float], canvas_px: int, seed: int) -> None:
        """Keep the tiles by set; sample number i is a function of (seed, i) alone."""
        names = sorted({r.source for r in records})
        self._by_source = [[r for r in records if r.source == n] for n in names]
        chances = ([HARD_TILE if len(r.inventions) else 1.0 for r in tiles] for tiles in self._by_source)
        self._chance = [np.array(c) / sum(c) for c in chances]
        share = np.array([weights.get(n, 1.0) for n in names])
        self._share = share / share.sum()
        self._canvas = canvas_px
        self._seed = seed
        self._cache: dict[Path, NDArray[np.uint8]] = {}

    def sample(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], Floats]:
        """One canvas: pixels (s, s, 3) uint8 BGR, classes (n,), boxes (n, 5) xywhr px."""
        rng = np.random.default_rng([self._seed, number])
        size = self._canvas
        canvas = np.full((size, size, 3), 114, np.uint8)
        kinds: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        boxes: list[Floats] = [np.empty((0, 5))]
        for cell in _layout(rng, size):
            picture, cell_kinds, corners = self._cell(rng, cell.width, cell.height)
            canvas[cell.y : cell.bottom, cell.x : cell.right] = picture
            kinds.append(cell_kinds)
            boxes.append(from_corners(corners + np.array([cell.x, cell.y])))
        return canvas, np.concatenate(kinds), np.concatenate(boxes)

    def _cell(self, rng: Generator, width: int, height: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], Floats]:
        """One turned and scaled crop with its labels, px of the cell."""
        source = int(rng.choice(len(self._by_source), p=self._share))
        tile = self._by_source[source][rng.choice(len(self._chance[source]), p=self._chance[source])]
        pixels = self._pixels(tile)
        matrix = _warp(rng, tile, pixels.shape[:2], width, height)
        border = [int(v) for v in pixels.reshape(-1, 3)[:: max(1, pixels.size // 3000)].mean(0)]
        shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        if shrink < 0.6:  # noqa: PLR2004 - below this, bilinear sampling would skip source pixels
            sigma = 0.35 / shrink
            pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)
        warped = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=border)
        picture = np.asarray(warped, np.uint8)
        corners = _turn(tile.corners, matrix)
        shown, hidden = tile_labels(corners, tile.kinds.tolist(), Window(0, 0, width, height), MIN_VISIBLE)
        for polygon in (*hidden, *(_turn(p[None], matrix)[0] for p in tile.ignored)):
            cv2.fillPoly(picture, [np.round(polygon).astype(np.int32)], border)
        quads = np.array([q for _, q in shown]).reshape(-1, 4, 2)
        shortest = float(long_sides(quads).min()) if len(quads) else 0.0
        picture = degrade(rng, picture, min_vessel_px=shortest)
        return recolour(rng, picture), np.array([k for k, _ in shown], np.int64), quads

    def _pixels(self, tile: TileRecord) -> NDArray[np.uint8]:
        """A tile's pixels (h, w, 3), from memory after the first time."""
        if tile.image not in self._cache:
            self._cache[tile.image] = read_picture(tile.image)
        return self._cache[tile.image]


def _layout(rng: Generator, size: int) -> list[Window]:
    """Cells that fill the canvas: one, two or four."""
    draw = rng.random()
    if draw < 0.35:  # noqa: PLR2004 - shares of the layouts
        return [Window(0, 0, size, size)]
    cut = int(size * rng.uniform(0.35, 0.65))
    if draw < 0.5:  # noqa: PLR2004
        return [Window(0, 0, cut, size), Window(cut, 0, size - cut, size)]
    if draw < 0.65:  # noqa: PLR2004
        return [Window(0, 0, size, cut), Window(0, cut, size, size - cut)]
    low = int(size * rng.uniform(0.35, 0.65))
    rest, under = size - cut, size - low
    return [
        Window(0, 0, cut, low),
        Window(cut, 0, rest, low),
        Window(0, low, cut, under),
        Window(cut, low, rest, under),
    ]


def _scale(rng: Generator, tile: TileRecord, length_px: float | None) -> float:
    """Factor of the crop: from the GSD where it is known, and such that the vessel in its middle is of a fit size."""
    low, high = FREE_SCALE
    if tile.gsd_m is not None:
        low, high = (min(MAX_UP, tile.gsd_m / g) for g in reversed(WORKING_GSD_M))
    factor = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    if length_px:
        factor = float(np.clip(factor, LENGTH_PX[0] / length_px, LENGTH_PX[1] / length_px))
    return min(factor, MAX_UP)


def _warp(rng: Generator, tile: TileRecord, shape: tuple[int, int], width: int, height: int) -> Floats:
    """Affine matrix (2, 3) from the tile to the cell: turn, mirror, scale, and a vessel or a random place inside."""
    size = np.array([shape[1], shape[0]], np.float64)
    centre, length = rng.uniform(0, 1, 2) * size, None
    if len(tile.inventions) and rng.random() < HARD_SHARE:
        x, y, length = tile.inventions[rng.integers(len(tile.inventions))].tolist()
        centre = np.array([x, y])
    elif len(tile.corners) and rng.random() < 0.85:  # noqa: PLR2004 - the rest shows what no vessel looks like
        quad = tile.corners[rng.integers(len(tile.corners))]
        centre, length = quad.mean(0), float(np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1).max())
    factor = _scale(rng, tile, length)
    half = np.array([width, height]) / factor / 2
    centre = centre + rng.uniform(-0.8, 0.8, 2) * half
    # Keep the cell on the picture where it fits, in the middle where it does not: canvas without pixels is wasted.
    low = np.minimum(0.9 * half, size / 2)
    centre = np.clip(centre, low, np.maximum(size - low, low))
    angle = rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.4:  # noqa: PLR2004 - quarter turns leave no empty corners
        angle = np.round(angle / (np.pi / 2)) * np.pi / 2 + rng.normal(0, 0.04)
    mirror = rng.choice([-1.0, 1.0])
    linear = factor * np.array([[np.cos(angle) * mirror, -np.sin(angle)], [np.sin(angle) * mirror, np.cos(angle)]])
    shift = np.array([width, height]) / 2 - linear @ centre
    return np.concatenate([linear, shift[:, None]], 1)


def _turn(points: Floats, matrix: Floats) -> Floats:
    """Apply an affine matrix (2, 3) to points (..., 2)."""
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def batch(samples: list[tuple[NDArray[np.uint8], NDArray[np.int64], Floats]]) -> dict[str, Any]:
    """Samples -> the arrays of ultralytics' OBB loss: img (b, 3, s, s) 0..1 RGB, cls, bboxes xywhr (0..1, rad)."""
    size = samples[0][0].shape[0]
    img = np.stack([s[0][:, :, ::-1].transpose(2, 0, 1) for s in samples])
    boxes = np.concatenate([s[2] for s in samples])
    boxes = np.concatenate([boxes[:, :4] / size, boxes[:, 4:]], 1)
    return {
        "img": np.ascontiguousarray(img),
        "kinds": np.concatenate([s[1] for s in samples]),
        "bboxes": boxes.astype(np.float32),
        "batch_idx": np.concatenate([np.full(len(s[1]), i) for i, s in enumerate(samples)]).astype(np.float32),
    }

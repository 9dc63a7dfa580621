"""What the project promises: each vessel once, and the same answer whichever way the tiles go."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import toy_model
from affine import Affine
from fleet import Fleet, PerfectDetector, fit, random_fleet
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rasterio.windows import Window as RasterWindow
from scene_files import HARBOUR, write_tiff

from edge.assets import samples_dir
from edge.catalogue import DEFAULT_MODEL, shipped_models
from edge.detector import Detector, load_detector
from edge.document import build_document
from edge.merge import SeamMerger
from edge.pipeline import ScanOptions, ScanResult, plan_scan, scan
from edge.preprocess import fit_tile
from edge.scene import SceneOptions, open_scene
from edge.tiling import Tile, plan_tiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.detections import Detections
    from edge.scene import Scene

SEEDS = st.integers(0, 2**32 - 1)
LONGEST = st.floats(10, 400)
SPARE = st.integers(0, 80)
"""By how much the overlap is longer than the longest vessel, px."""


def _harbour(seed: int, longest: float, spare: int, stride: float, least_tile: int = 0) -> tuple[Fleet, list[Tile]]:
    """Vessels of 10 px to `longest`, many of them at the seams, and tiles that overlap by at least the longest."""
    rng = np.random.default_rng(seed)
    overlap = int(np.ceil(longest)) + spare
    tile = max(overlap + max(1, int(stride * overlap)), least_tile)
    width, height = (int(v) for v in rng.integers(tile // 2 + 1, tile + 3 * (tile - overlap) + 2, 2))
    tiles = plan_tiles(width, height, tile, overlap)
    seams = [sorted({getattr(t.core, axis) for t in tiles} - {0}) for axis in "xy"]
    return random_fleet(rng, (width, height), (10.0, longest), 14, (seams[0], seams[1])), tiles


def _merged(fleet: Fleet, tiles: list[Tile], detector: PerfectDetector, seed: int) -> Detections:
    merger = SeamMerger(fleet.width, fleet.height)
    for i in np.random.default_rng(seed).permutation(len(tiles)):
        merger.add(tiles[i], detector.find(tiles[i]))
    return merger.finish()


def _assert_each_once(found: Detections, fleet: Fleet, iou: float) -> None:
    truth = fleet.truth
    assert len(found) == len(truth)
    if len(truth):
        overlap = fit(found.xywhr, truth)
        assert sorted(overlap.argmax(1)) == list(range(len(truth))), "each box is of another vessel"
        assert overlap.max(1).min() >= iou


@settings(deadline=None, max_examples=120)
@given(seed=SEEDS, longest=LONGEST, spare=SPARE, stride=st.floats(0.1, 1.5))
def test_a_perfect_detector_counts_every_vessel_once(seed: int, longest: float, spare: int, stride: float) -> None:
    fleet, tiles = _harbour(seed, longest, spare, stride)
    _assert_each_once(_merged(fleet, tiles, PerfectDetector(fleet), seed), fleet, 0.95)


@settings(deadline=None, max_examples=120)
@example(seed=40505672, longest=10.0, spare=0, stride=0.1).via("a sliver in the fourth tile at a corner")
@example(seed=4853, longest=10.894593690461122, spare=0, stride=0.1).via("a sliver that two tiles see")
@example(seed=3114, longest=10.0, spare=0, stride=0.3481911389394138).via(
    "both cut, less left to share than they share"
)
@example(seed=3020, longest=10.0, spare=0, stride=0.1).via("the same, and a neighbour fits better")
@example(seed=31134, longest=10.0, spare=0, stride=1.0).via("what is left of a cut box fits another hull better")
@given(seed=SEEDS, longest=LONGEST, spare=SPARE, stride=st.floats(0.1, 1.5))
def test_also_one_that_is_up_to_2_px_off_in_each_tile(seed: int, longest: float, spare: int, stride: float) -> None:
    """Off by another bit, with another score, in every tile: rafted boats of a few px lie on each other then.

    No network takes tiles of less than 64 px, where most of what 2 px change is whether an edge cuts a boat.
    """
    fleet, tiles = _harbour(seed, longest, spare, stride, least_tile=64)
    _assert_each_once(_merged(fleet, tiles, PerfectDetector(fleet, 2.0, seed), seed), fleet, 0.45)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, longest=LONGEST, spare=SPARE, stride=st.floats(0.2, 1.5), missed=st.floats(0.05, 0.6))
def test_a_vessel_that_some_tiles_miss_is_never_counted_twice(
    seed: int, longest: float, spare: int, stride: float, missed: float
) -> None:
    fleet, tiles = _harbour(seed, longest, spare, stride)
    detector, rng = PerfectDetector(fleet), np.random.default_rng(seed)
    merger = SeamMerger(fleet.width, fleet.height)
    for tile in tiles:
        rows = detector.find(tile)
        merger.add(tile, rows[rng.random(len(rows)) > missed])
    found = merger.finish()
    if len(found):
        best = fit(found.xywhr, fleet.truth).argmax(1)
        assert len(set(best)) == len(found)


@settings(deadline=None, max_examples=30)
@given(seed=SEEDS, tile=st.integers(120, 400), share=st.floats(0.25, 0.5), off=st.sampled_from([0.0, 2.0]))
def test_vessels_longer_than_the_overlap_are_joined(seed: int, tile: int, share: float, off: float) -> None:
    """Where the GSD is not known, hulls may be longer than the overlap, and even than a tile."""
    rng = np.random.default_rng(seed)
    width, height = (int(v) for v in rng.integers(tile, tile * 3, 2))
    fleet = random_fleet(rng, (width, height), (20.0, 2.0 * tile), 8)
    tiles = plan_tiles(width, height, tile, int(share * tile))
    _assert_each_once(_merged(fleet, tiles, PerfectDetector(fleet, off, seed), seed), fleet, 0.45 if off else 0.8)


class _Recogniser:
    """A detector in the pipeline's sense that knows from the picture which tile it is shown."""

    teller = None
    provider = "none"

    def __init__(self, detector: Detector, perfect: PerfectDetector, tiles: list[Tile]) -> None:
        self.card, self._perfect = detector.card, perfect
        self._tiles = {(t.window.x, t.window.y): t for t in tiles}

    def find(self, batch: np.ndarray, _floor: float | None = None) -> list[Detections]:
        return [self._perfect.find(self._tiles[_place_of(picture)]) for picture in batch]


def _place_of(picture: np.ndarray) -> tuple[int, int]:
    """Left and top of a tile of `_map_of`."""
    return int(picture[0, 0, 0]) * 3, int(picture[0, 0, 1]) * 3


def _map_of(width: int, height: int) -> np.ndarray:
    """Bands (3, h, w) that tell column and row, in steps of 3 px; blue is never 0."""
    column, row = np.meshgrid(np.arange(width) // 3, np.arange(height) // 3)
    return np.stack([column, row, np.full_like(row, 9)]).astype(np.uint8)


def test_the_whole_pipeline_counts_every_vessel_once(tmp_path: Path) -> None:
    """0.5 m scene at 1 m: an overlap of 51 m, vessels of up to 51 m, through scan() with all that is in it."""
    folder = toy_model.model_folder(tmp_path / "toy", input__tile_px=96, input__multiple_px=32)
    real = load_detector(folder, "cpu")
    path = write_tiff(
        tmp_path / "scene.tif", np.repeat(np.repeat(_map_of(330, 270), 2, 1), 2, 2), crs=32610, transform=HARBOUR
    )
    options = ScanOptions(max_length_m=51, threads=2, batch=3, exhaustive=True)
    with open_scene(path) as scene:
        plan = plan_scan(scene, real, options)
        assert (plan.width, plan.height, plan.overlap_px, plan.tile_px) == (330, 270, 51, 96)
        for seed in range(8):
            rng = np.random.default_rng(seed)
            seams = [sorted({getattr(t.core, axis) for t in plan.tiles} - {0}) for axis in "xy"]
            fleet = random_fleet(rng, (330, 270), (10.0, 51.0), 14, (seams[0], seams[1]))
            recogniser: Any = _Recogniser(real, PerfectDetector(fleet, 2.0, seed), list(plan.tiles))
            result = scan(scene, recogniser, options, order=rng.permutation(len(plan.tiles)).tolist())
            _assert_each_once(result.candidates.scaled(0.5), fleet, 0.45)
            assert result.tiles.scored == result.tiles.planned
            assert result.coverage == 1


# The same answer, to the last bit, for real networks.


def _bits(result: ScanResult, scene: Scene, detector: Detector) -> tuple[bytes, ...]:
    """All numbers of an answer, and the document without what the clock says."""
    document = build_document(scene, detector, result)
    del document["seconds"]
    rows = result.candidates
    columns = (rows.xywhr, rows.score, rows.kind, rows.kind_score)
    return (*(column.tobytes() for column in columns), json.dumps(document).encode())


def _ways(tiles: int, batches: tuple[int, ...], seed: int) -> Iterator[tuple[int, int, list[int]]]:
    """Threads, batch size and order of the tiles."""
    rng = np.random.default_rng(seed)
    for threads in (1, 2):
        for batch in batches:
            yield threads, batch, rng.permutation(tiles).tolist()


def _assert_same_every_way(scene: Scene, detector: Detector, batches: tuple[int, ...], seed: int = 0) -> ScanResult:
    first = scan(scene, detector, ScanOptions(max_length_m=60, threads=1))
    expected = _bits(first, scene, detector)
    for threads, batch, order in _ways(first.tiles.planned, batches, seed):
        options = ScanOptions(max_length_m=60, threads=threads, batch=batch)
        result = scan(scene, detector, options, order=order)
        assert _bits(result, scene, detector) == expected, f"threads {threads}, batch {batch}, order {order}"
    return first


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    return load_detector(toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy", kinds=True), "cpu")


@settings(deadline=None, max_examples=8)
@given(
    seed=SEEDS, width=st.integers(100, 260), height=st.integers(100, 260), gsd=st.sampled_from([None, 0.5, 1.0, 3.0])
)
def test_the_toy_network_says_the_same_every_way(
    seed: int, width: int, height: int, gsd: float | None, toy: Detector, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    coarse = (rng.random((3, -(-height // 5), -(-width // 5))) ** 4 * 255).astype(np.uint8)
    noise = coarse.repeat(5, 1).repeat(5, 2)[:, :height, :width]
    path = write_tiff(tmp_path_factory.mktemp("noise") / "noise.tif", noise)
    with open_scene(path, SceneOptions(gsd_m=gsd)) as scene:
        assert len(_assert_same_every_way(scene, toy, (1, 3, 8), seed).candidates) > 0


needs_model = pytest.mark.skipif(
    DEFAULT_MODEL not in {p.name for p in shipped_models()}, reason=f"models/{DEFAULT_MODEL} is not there yet"
)


@needs_model
def test_the_shipped_model_says_the_same_every_way(tmp_path: Path) -> None:
    """A part of the sample scene that takes several tiles."""
    detector = load_detector(next(p for p in shipped_models() if p.name == DEFAULT_MODEL), "cpu")
    with rasterio.open(samples_dir() / "synthetic-terminal.tif") as sample:
        bands = sample.read(window=RasterWindow(500, 300, 1300, 1100))
        a, b, c, d, e, f = sample.transform[:6]
        place = Affine(a, b, c + 500 * a, d, e, f + 300 * e)
        path = write_tiff(tmp_path / "part.tif", bands, crs=sample.crs, transform=place)
    with open_scene(path) as scene:
        result = _assert_same_every_way(scene, detector, (3, 8))
    assert result.tiles.planned > 1
    assert len(result.found) > 0


# Tiled equals untiled.


@settings(deadline=None, max_examples=15)
@given(seed=SEEDS, width=st.integers(1, 128), height=st.integers(1, 128))
def test_a_scene_that_fits_one_tile_is_what_the_network_says_of_it(
    seed: int, width: int, height: int, toy: Detector, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rng = np.random.default_rng(seed)
    pixels = (rng.random((height, width, 3)) ** 0.3 * 255).astype(np.uint8)
    path = write_tiff(tmp_path_factory.mktemp("one") / "one.tif", pixels.transpose(2, 0, 1))
    side = fit_tile(width, height, toy.card.tile_px, toy.card.multiple_px)
    padded = np.zeros((1, side, side, 3), np.uint8)
    padded[0, :height, :width] = pixels
    (expected,) = toy.find(padded)
    with open_scene(path) as scene:
        result = scan(scene, toy)
    assert result.tiles.planned == 1
    order = np.lexsort((expected.score, expected.xywhr[:, 0], expected.xywhr[:, 1]))
    assert np.array_equal(result.candidates.xywhr, expected.xywhr[order])
    assert np.array_equal(result.candidates.score, expected.score[order])


@settings(deadline=None, max_examples=15)
@given(seed=SEEDS)
def test_tiles_find_what_the_network_finds_on_the_whole_scene(
    seed: int, toy: Detector, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The toy network sees 8 px cells, so that on tiles that start at whole cells it sees what it sees of the whole."""
    rng = np.random.default_rng(seed)
    places = {
        (int(c), int(r)): int(v)
        for c, r, v in zip(*rng.integers([[1], [1], [60]], [[39], [29], [256]], (3, 40)), strict=True)
    }
    lone = {(c, r): v for (c, r), v in places.items() if not any((c + d, r) in places for d in (-2, -1, 1, 2))}
    pixels = toy_model.picture(320, 240, lone)
    path = write_tiff(tmp_path_factory.mktemp("cells") / "cells.tif", pixels.transpose(2, 0, 1))
    (whole,) = toy.find(pixels[None])
    with open_scene(path) as scene:
        result = scan(scene, toy, ScanOptions(threshold=0.2))
    assert result.tiles.planned == 9
    assert len(result.candidates) == len(whole) == len(lone)
    order = np.lexsort((whole.xywhr[:, 0], whole.xywhr[:, 1]))
    assert np.array_equal(result.candidates.xywhr, whole.xywhr[order])
    assert np.array_equal(result.candidates.score, whole.score[order])

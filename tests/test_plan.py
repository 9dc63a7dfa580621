"""tests/test_pipeline.py has the plans of known scenes; here is what tiles are chosen, and what options are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import toy_model
from hypothesis import given
from hypothesis import strategies as st
from scene_files import write_tiff

from edge.detector import Detector, load_detector
from edge.errors import UsageError
from edge.plan import ScanOptions, plan_scan
from edge.scene import SceneOptions, open_scene
from edge.tiling import best_side, plan_tiles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    folder = toy_model.model_folder(tmp_path_factory.mktemp("models") / "toy", input__tile_most_px=192)
    return load_detector(folder, "cpu")


@pytest.fixture(scope="module")
def scene_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiff(tmp_path_factory.mktemp("scenes") / "scene.tif", np.zeros((3, 300, 500), np.uint8))


@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    overlap=st.integers(0, 90),
    low=st.integers(3, 6),
    more=st.integers(0, 6),
)
def test_the_best_side_costs_least(width: int, height: int, overlap: int, low: int, more: int) -> None:
    sides = range(low * 32, (low + more) * 32 + 1, 32)
    best = best_side((width, height), overlap, sides)
    cost = {side: len(plan_tiles(width, height, side, overlap)) * side**2 for side in sides}
    assert cost[best] == min(cost.values())
    assert best == min(side for side in sides if cost[side] == cost[best])


def test_tiles_grow_where_that_saves_work_and_the_card_allows_it(scene_path: Path, toy: Detector) -> None:
    with open_scene(scene_path, SceneOptions(gsd_m=1.0)) as scene:
        plan = plan_scan(scene, toy, ScanOptions(max_length_m=100))
        assert plan.tile_px == best_side((500, 300), 100, range(128, 193, 32)) > 128
        assert all(t.window.width == plan.tile_px for t in plan.tiles)
        forced = plan_scan(scene, toy, ScanOptions(max_length_m=100, tile_px=128))
    assert (forced.tile_px, forced.overlap_px) == (128, 100)


def test_a_forced_overlap_wins_over_the_longest_vessel(scene_path: Path, toy: Detector) -> None:
    with open_scene(scene_path, SceneOptions(gsd_m=1.0)) as scene:
        plan = plan_scan(scene, toy, ScanOptions(max_length_m=4000, tile_px=160, overlap_px=32))
    assert (plan.tile_px, plan.overlap_px) == (160, 32)


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({"tile_px": 0}, "--tile/--overlap"),
        ({"overlap_px": -1}, "--tile/--overlap"),
        ({"tile_px": 100}, "--tile"),
        ({"tile_px": 128, "overlap_px": 128}, "--overlap"),
    ],
)
def test_tiles_that_make_no_sense(scene_path: Path, toy: Detector, options: dict[str, int], subject: str) -> None:
    with open_scene(scene_path) as scene, pytest.raises(UsageError) as caught:
        plan_scan(scene, toy, ScanOptions(**options))  # type: ignore[arg-type]
    assert caught.value.subject == subject

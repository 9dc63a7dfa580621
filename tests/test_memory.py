"""Counting a huge scene takes no more memory than a large one, but for the rows that tiles share.

`python -m benchmarks.memory` has the figures.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import toy_model

from benchmarks.memory import make_scene, peak
from edge.scene_cache import MOST_BYTES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc")
MOST_MB = 450


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Tiles of 1024 px as the shipped models; a floor above what water gives, so that vessels are found only."""
    folder = tmp_path_factory.mktemp("models") / "toy"
    return str(toy_model.model_folder(folder, input__tile_px=1024, thresholds__floor=0.5))


def _peak(folder: Path, model: str, side: int, threads: int) -> int:
    path = folder / f"{side}.tif"
    if not path.exists():
        make_scene(path, side, 0.25)
    row = peak(path, model, ["--threads", str(threads)])
    assert row["side_px"] == side
    assert row["coverage"] == 1
    assert row["tiles"] > (side / 4 / 1024) ** 2
    return int(row["rss_mb"])


def _assert_flat(folder: Path, model: str, small: int, large: int) -> None:
    """One worker for the comparison: with two, the peak depends on which of their tiles happen to coincide."""
    before = _peak(folder, model, small, 1)
    (folder / f"{small}.tif").unlink()
    assert _peak(folder, model, large, 1) <= 1.1 * before + MOST_BYTES / 2**20
    assert _peak(folder, model, large, 2) < MOST_MB


def test_four_times_the_scene_takes_the_same_memory(tmp_path: Path, model: str) -> None:
    _assert_flat(tmp_path, model, 8_000, 16_000)


@pytest.mark.slow
def test_nine_hundred_megapixels(tmp_path: Path, model: str) -> None:
    _assert_flat(tmp_path, model, 15_000, 30_000)

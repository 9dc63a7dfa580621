"""Counting takes as much memory for a huge scene as for a large one; `python -m benchmarks.memory` has the figures."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import toy_model

from benchmarks.memory import make_scene, peak

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process is read from /proc"),
]
MOST_MB = 700


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Tiles of 1024 px as the shipped models; a floor above what water gives, so that vessels are found only."""
    folder = tmp_path_factory.mktemp("models") / "toy"
    return str(toy_model.model_folder(folder, input__tile_px=1024, thresholds__floor=0.5))


def _peaks(folder: Path, model: str, sides: tuple[int, int]) -> list[int]:
    peaks = []
    for side in sides:
        path = make_scene(folder / f"{side}.tif", side, 0.25)
        row = peak(path, model, ["--threads", "2"])
        path.unlink()
        assert row["side_px"] == side
        assert row["coverage"] == 1
        assert row["tiles"] > (side / 4 / 1024) ** 2
        peaks.append(int(row["rss_mb"]))
    return peaks


def test_four_times_the_scene_takes_the_same_memory(tmp_path: Path, model: str) -> None:
    small, large = _peaks(tmp_path, model, (7_500, 15_000))
    assert large < MOST_MB
    assert large <= 1.1 * small


@pytest.mark.slow
def test_nine_hundred_megapixels(tmp_path: Path, model: str) -> None:
    small, large = _peaks(tmp_path, model, (15_000, 30_000))
    assert large < MOST_MB
    assert large <= 1.1 * small

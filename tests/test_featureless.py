from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.featureless import FAINTEST, is_featureless

SEEDS = st.integers(0, 2**32 - 1)
WATER = np.array([38, 62, 70], np.uint8)


def _water(side: int = 256, noise: int = 1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (WATER + rng.integers(-noise, noise + 1, (side, side, 3))).astype(np.uint8)


def test_still_water_is_plain() -> None:
    assert is_featureless(np.tile(WATER, (64, 64, 1)))
    assert is_featureless(_water(noise=3))
    assert is_featureless(np.zeros((1, 1, 3), np.uint8))


def test_water_that_darkens_slowly_is_plain() -> None:
    slope = np.linspace(0, 60, 1024).astype(np.uint8)[:, None, None]
    assert is_featureless(np.broadcast_to(WATER + slope, (1024, 512, 3)).copy())


@given(seed=SEEDS, x=st.integers(0, 252), y=st.integers(0, 252), sign=st.sampled_from([-1, 1]), band=st.integers(0, 2))
def test_a_faint_boat_anywhere_is_not(seed: int, x: int, y: int, sign: int, band: int) -> None:
    """4 x 4 px, so that at least one cell lies on it whole; in one colour only, a little beyond what is too faint."""
    pixels = _water(seed=seed)
    boat = pixels[y : y + 4, x : x + 4, band].astype(int) + sign * (FAINTEST + 6)
    pixels[y : y + 4, x : x + 4, band] = boat
    assert not is_featureless(pixels)


def test_a_wake_without_a_boat_is_not_plain() -> None:
    pixels = _water()
    for i in range(200):
        pixels[20 + i // 3, 20 + i] += 30
        pixels[21 + i // 3, 20 + i] += 30
    assert not is_featureless(pixels)


def test_bright_things_on_the_sparse_grid_are_seen_at_once() -> None:
    pixels = _water()
    pixels[64, 64] = 255
    assert not is_featureless(pixels)


@pytest.mark.parametrize("hole", [(0, 0), (100, 200)])
def test_a_tile_with_px_that_are_not_valid_is_never_plain(hole: tuple[int, int]) -> None:
    valid = np.ones((256, 256), np.bool_)
    assert is_featureless(_water(), valid)
    valid[hole] = False
    assert not is_featureless(_water(), valid)


def test_bands_of_rows_miss_nothing_at_their_borders() -> None:
    for row in range(120, 136):
        pixels = _water()
        pixels[row : row + 2, 77:81] = 90
        assert not is_featureless(pixels)

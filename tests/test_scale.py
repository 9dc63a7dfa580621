from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edge.scale
from edge.scale import Scale, choose_scale, cv2_halves_exactly, enlarge, shrink


def _half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 14), st.integers(0, 2**32 - 1), st.sampled_from([0.6, 1.0]))
@settings(max_examples=60, deadline=None)
def test_shrink_is_the_exact_mean_of_the_valid_px(width: int, height: int, down: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    valid = rng.random((height, width)) < share
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    pixels[~valid] = 0
    out, out_valid = shrink(pixels, valid, down)
    assert out_valid is not None
    assert out.shape == (-(-height // down), -(-width // down), 3)
    for y, x in np.ndindex(out_valid.shape):
        block = np.s_[y * down : (y + 1) * down, x * down : (x + 1) * down]
        count = int(valid[block].sum())
        assert out_valid[y, x] == (count > 0)
        for c in range(3):
            values = [int(v) for v in pixels[block][..., c][valid[block]]]
            assert out[y, x, c] == (_half_up(Fraction(sum(values), count)) if count else 0)


@given(st.integers(1, 70), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_shrink_needs_no_validity_where_all_px_are_valid(width: int, height: int, down: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    out, out_valid = shrink(pixels, None, down)
    wanted, wanted_valid = shrink(pixels, np.ones((height, width), np.bool_), down)
    assert out_valid is None
    assert wanted_valid is not None
    assert wanted_valid.all()
    assert np.array_equal(out, wanted)


@pytest.mark.parametrize("trusted", [True, False])
def test_halves_are_rounded_half_up_for_all_sums(monkeypatch: pytest.MonkeyPatch, *, trusted: bool) -> None:
    """All four orders of px, at all places of a row that a vector kernel may treat by itself."""
    if not trusted:
        monkeypatch.setattr(edge.scale, "cv2_halves_exactly", lambda: False)
    assert cv2_halves_exactly(), "this build of OpenCV is slower than others"
    sums = np.arange(4 * 255 + 1).repeat(5)
    blocks = np.stack([(sums + i) // 4 for i in range(4)]).astype(np.uint8)
    for turn in range(4):
        a, b, c, d = np.roll(blocks, turn, 0)
        pixels = np.stack([np.stack([a, b], 1).ravel(), np.stack([c, d], 1).ravel()])[..., None].repeat(3, 2)
        assert np.array_equal(shrink(pixels, None, 2)[0], ((sums + 2) // 4)[None, :, None].repeat(3, 2))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(2, 4), st.integers(0, 2**32 - 1), st.sampled_from([0.6, 1.0]))
@settings(max_examples=40, deadline=None)
def test_enlarge_is_bilinear_between_centres(width: int, height: int, up: int, seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    valid = np.zeros((height + 2, width + 2), np.bool_)
    valid[1:-1, 1:-1] = rng.random((height, width)) < share
    pixels = rng.integers(0, 256, (*valid.shape, 3), np.uint8)
    pixels[~valid] = 0
    out, out_valid = enlarge(pixels, valid, up)
    for y, x in np.ndindex(height * up, width * up):
        centre_y, centre_x = (Fraction(2 * i + 1, 2 * up) + Fraction(1, 2) for i in (y, x))  # in px of the margin grid
        assert out_valid[y, x] == valid[y // up + 1, x // up + 1]
        total, weights = Fraction(0), Fraction(0)
        for j in (math.floor(centre_y), math.floor(centre_y) + 1):
            for i in (math.floor(centre_x), math.floor(centre_x) + 1):
                near = max(Fraction(0), 1 - abs(centre_y - j)) * max(Fraction(0), 1 - abs(centre_x - i))
                if near and valid[j, i]:
                    total, weights = total + near * int(pixels[j, i, 1]), weights + near
        assert out[y, x, 1] == (_half_up(total / weights) if out_valid[y, x] else 0)


def test_an_edge_px_is_repeated_beyond_the_border() -> None:
    pixels, valid = np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4), np.bool_)
    pixels[1, 1:3], valid[1, 1:3] = [[10] * 3, [50] * 3], True
    out, out_valid = enlarge(pixels, valid, 2)
    assert out[..., 0].tolist() == [[10, 20, 40, 50]] * 2
    assert out_valid.all()


@pytest.mark.parametrize(
    ("gsd", "scale"),
    [
        (None, Scale()),
        (0.5, Scale()),
        (0.7, Scale()),
        (0.25, Scale(down=2)),
        (0.3, Scale(down=2)),
        (0.1, Scale(down=5)),
        (0.5 - 1e-9, Scale()),
        (2.0, Scale(up=2)),
        (3.0 + 1e-9, Scale(up=3)),
        (3.1, Scale(up=4)),
        (30.0, Scale(up=4)),
    ],
)
def test_choose_scale_enters_the_range_by_the_smallest_factor(gsd: float | None, scale: Scale) -> None:
    assert choose_scale(gsd, (0.5, 1.0)) == scale


@given(st.floats(0.01, 50), st.floats(0.05, 10), st.floats(2.0, 10))
def test_choose_scale_lands_in_any_range_of_an_octave(gsd: float, low: float, ratio: float) -> None:
    scale = choose_scale(gsd, (low, low * ratio))
    working = gsd / scale.factor
    assert working <= low * ratio * 1.00001 or scale.up == 4
    assert working >= low * 0.99999 or scale.up > 1


@pytest.mark.parametrize(("up", "down"), [(0, 1), (1, 0), (2, 2), (-1, 1)])
def test_a_scale_goes_one_way(up: int, down: int) -> None:
    with pytest.raises(ValueError, match="whole factor"):
        Scale(up, down)


def test_a_cut_off_block_counts() -> None:
    assert Scale(down=3).size(10, 9) == (4, 3)
    assert Scale(up=3).size(10, 9) == (30, 27)
    assert Scale(up=3).factor == 3

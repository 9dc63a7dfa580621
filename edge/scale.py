"""Resample pixels by whole factors, exactly: a working pixel has one value, whichever window it is read in.

All means are rational numbers of 8-bit values, rounded half up in integer arithmetic. No floating point, no library
kernel with borders of its own: that is what makes tiles agree with each other to the last bit. The one kernel that is
borrowed, the mean of 2 x 2, is integer arithmetic too, and is asked for all of its answers before it is trusted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Valid = NDArray[np.bool_]
Sums = NDArray[np.unsignedinteger]

MAX_UP = 4
"""Beyond this a vessel is too few source px for interpolation to help."""
HALF = 2
"""The factor that is asked for most, and that OpenCV serves exactly."""
_SLACK = 1e-6
"""Relative; 0.5 m over 0.1 m is 5 blocks, not 6, whatever binary fractions say."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Working px per source px: `up / down`. At most one of the two differs from 1."""

    up: int = 1
    down: int = 1

    def __post_init__(self) -> None:
        """Refuse what no read can serve."""
        if self.up < 1 or self.down < 1 or (self.up > 1 and self.down > 1):
            msg = f"a scale goes up or down by a whole factor, not up {self.up} and down {self.down}"
            raise ValueError(msg)

    @property
    def factor(self) -> float:
        """Working px per source px, as one number."""
        return self.up / self.down

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Working width and height of a frame of width x height source px; a cut-off last block counts."""
        return -(-width * self.up // self.down), -(-height * self.up // self.down)


def choose_scale(gsd_m: float | None, wanted: tuple[float, float]) -> Scale:
    """The scale that brings px of `gsd_m` metres into the range (lo, hi) m that a model wants.

    Finer scenes go down until px are at least `lo`; coarser ones go up until px are at most `hi`, or to 4 times. A
    scene of unknown GSD keeps its px.
    """
    if gsd_m is None:
        return Scale()
    low, high = wanted
    if gsd_m < low:
        return Scale(down=max(1, math.ceil(low / gsd_m * (1 - _SLACK))))
    if gsd_m > high:
        return Scale(up=min(MAX_UP, math.ceil(gsd_m / high * (1 - _SLACK))))
    return Scale()


def shrink(pixels: Pixels, valid: Valid | None, down: int) -> tuple[Pixels, Valid | None]:
    """Area means of aligned down x down blocks.

    Args:
        pixels: shape (h, w, 3), 0 where not valid; its first px is the first of a block. The last blocks may be cut.
        valid: shape (h, w); None where all are.
        down: px a side of a block.

    Returns:
        Means over the valid px of each block, shape (ceil(h / down), ceil(w / down), 3), and which blocks have any;
        None where all have.
    """
    height, width = pixels.shape[:2]
    whole = height % down == 0 and width % down == 0
    if valid is None and whole:
        if down == HALF and cv2_halves_exactly():
            half = cv2.resize(pixels, (width // HALF, height // HALF), interpolation=cv2.INTER_AREA)
            return np.asarray(half, np.uint8), None
        return _rounded(_block_sums(pixels, down), down * down).astype(np.uint8), None
    sums = _block_sums(pixels, down)
    if valid is None:
        return _rounded(sums, _block_counts(height, width, down)[..., None]).astype(np.uint8), None
    counts = _block_sums(valid.view(np.uint8)[..., None], down)
    return _rounded(sums, counts).astype(np.uint8), counts[..., 0] > 0


@lru_cache(maxsize=1)
def cv2_halves_exactly() -> bool:
    """Whether this build of OpenCV rounds means of 2 x 2 half up: it has many kernels, and chooses by the processor."""
    sums = np.arange(4 * 255 + 1)
    blocks = np.stack([(sums + i) // 4 for i in range(4)]).astype(np.uint8).reshape(2, 2, -1)
    pixels = blocks.transpose(0, 2, 1).reshape(2, -1, 1).repeat(3, 2)
    half = cv2.resize(pixels, (len(sums), 1), interpolation=cv2.INTER_AREA)
    return bool((half == ((sums + 2) // 4)[None, :, None]).all())


def enlarge(pixels: Pixels, valid: Valid, up: int) -> tuple[Pixels, Valid]:
    """Bilinear interpolation between px centres, `up` times as many px a side.

    Args:
        pixels: shape (h + 2, w + 2, 3) with one px of margin all round, 0 where not valid.
        valid: shape (h + 2, w + 2); False in a margin that lies outside the scene.
        up: working px per source px.

    Returns:
        Shape (h * up, w * up, 3) without the margin, and validity: that of the source px in which each px lies.
        What is not valid takes no part: at borders the weights of the rest are raised, which repeats the edge px.
    """
    own = valid[1:-1, 1:-1]
    out_valid = own.repeat(up, axis=0).repeat(up, axis=1)
    weights: Sums | int = (2 * up) ** 2 if valid.all() else _spread(valid.view(np.uint8), up)
    out = np.empty((*out_valid.shape, 3), np.uint8)
    for c in range(3):
        out[..., c] = _rounded(_spread(pixels[..., c], up), weights)
    out[~out_valid] = 0
    return out, out_valid


def _block_sums(pixels: Pixels, down: int) -> Sums:
    """Sums over aligned blocks of px (h, w, c), shape (ceil(h / down), ceil(w / down), c)."""
    height, width, channels = pixels.shape
    dtype = np.min_scalar_type(2 * 256 * down * down)  # what _rounded needs
    lines = pixels.reshape(height, width * channels)  # long runs: rows first, all channels at once
    rows = np.zeros((-(-height // down), width * channels), dtype)
    for i in range(min(down, height)):
        part = lines[i::down]
        rows[: len(part)] += part
    sums = np.zeros((len(rows), -(-width // down), channels), dtype)
    for c in range(channels):
        total = np.zeros(sums.shape[:2], dtype)
        for j in range(min(down, width)):
            column = rows[:, j * channels + c :: down * channels]
            total[:, : column.shape[1]] += column
        sums[..., c] = total
    return sums


def _block_counts(height: int, width: int, down: int) -> Sums:
    """Px in each aligned block, shape (ceil(height / down), ceil(width / down)): fewer where blocks are cut."""
    rows, columns = (np.minimum(size - np.arange(0, size, down), down) for size in (height, width))
    return np.outer(rows, columns).astype(np.min_scalar_type(2 * 256 * down * down))


def _spread(plane: Pixels, up: int) -> Sums:
    """Bilinear weights times values of a plane with margin (h + 2, w + 2), shape (h * up, w * up).

    The weights are in units of 1 / (2 * up) along each axis, so they are whole and their products sum to (2 * up)².
    """
    dtype = np.min_scalar_type(2 * 256 * (2 * up) ** 2)
    height, width = plane.shape
    rows = np.empty(((height - 2) * up, width), dtype)
    out = np.empty((len(rows), (width - 2) * up), dtype)
    for phase in range(up):
        offset = 2 * phase + 1 - up  # of the px centre from the source px centre, in 1 / (2 * up)
        near, far = 2 * up - abs(offset), abs(offset)
        step = 2 if offset > 0 else 0
        rows[phase::up] = plane[1:-1].astype(dtype) * near + plane[step : step + height - 2].astype(dtype) * far
    for phase in range(up):
        offset = 2 * phase + 1 - up
        near, far = 2 * up - abs(offset), abs(offset)
        step = 2 if offset > 0 else 0
        out[:, phase::up] = rows[:, 1:-1] * near + rows[:, step : step + width - 2] * far
    return out


def _rounded(sums: Sums, weights: Sums | int) -> NDArray[np.unsignedinteger]:
    """Sums / weights, rounded half up; 0 where there is no weight."""
    if isinstance(weights, int):
        return (sums * 2 + sums.dtype.type(weights)) // sums.dtype.type(2 * weights)
    weights = np.maximum(weights, 1)
    return (sums * 2 + weights) // (weights * 2)

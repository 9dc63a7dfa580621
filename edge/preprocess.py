"""Windows -> a preallocated batch. The network casts and scales inside, so that this is a copy of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is not below the value."""
    return -(-value // multiple) * multiple


def fit_tile(width: int, height: int, tile_px: int, multiple_px: int) -> int:
    """Side of the square tiles for a frame of width x height px: the model's own, or less where the frame is small."""
    return min(tile_px, round_up(max(width, height), multiple_px))


def stack(pictures: Sequence[NDArray[np.uint8]], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Pictures (h, w, 3) of one size -> a batch (n, h, w, 3), in `out` where it is given and large enough."""
    if out is None or len(out) < len(pictures):
        return np.ascontiguousarray(np.stack(pictures))
    for row, picture in zip(out, pictures, strict=False):
        row[...] = picture
    return out[: len(pictures)]

"""Bring px that are not 8 bit (11 to 16-bit satellite data, floats) to 8 bit, by one stated policy.

Linear between the 1st and the 99th percentile of the scene's valid px, for each band by itself, clipped at both ends.

- The whole scene, never a tile: a vessel looks the same in each tile that sees it, so counts do not depend on tiling.
- Percentiles, not extremes: one glint or one dead px would else push all the rest into the dark.
- Each band by itself, as QGIS and most quick-look makers do: haze lifts blue over red by more than ships differ from
  water, and the pictures that models are trained on have had that taken out.

The percentiles are taken from at most about a million px on a regular grid, so a scene always gives the same ones.
8-bit data is what its maker meant to be seen, and passes unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.scale import Pixels

SAMPLE_SIDE = 1024
"""Samples are at most about this many px a side."""
_TABLE_BITS = 16


@dataclass(frozen=True, slots=True)
class Stretch:
    """A linear map for each band: `low` becomes 0, `high` 255."""

    low: tuple[float, ...]
    """In the file's units, one for each band that is read."""
    high: tuple[float, ...]
    """In the file's units, above `low`."""
    percentiles: tuple[float, float]
    """Per cent of the valid px."""

    def record(self) -> dict[str, Any]:
        """What the scene's document says of it."""
        low, high = self.percentiles
        policy = f"linear, percentiles {low:g} to {high:g} of the scene's valid pixels, each band by itself"
        return {"policy": policy, "low": list(self.low), "high": list(self.high)}


def fit(samples: Sequence[NDArray[Any]], percentiles: tuple[float, float]) -> Stretch:
    """Find the map from finite samples (n,) of each band. Constant or empty bands get a range of 1."""
    lows, highs = [], []
    for sample in samples:
        low, high = _range(sample.astype(np.float64), percentiles)
        lows.append(low)
        highs.append(high)
    return Stretch(tuple(lows), tuple(highs), percentiles)


def _range(sample: NDArray[np.float64], percentiles: tuple[float, float]) -> tuple[float, float]:
    """Low and high of one band, low < high."""
    if len(sample) == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(sample, percentiles))
    if not low < high:  # nearly all px are alike, as on calm water: let the few others show
        low, high = float(sample.min()), float(sample.max())
    if not low < high:
        high = float(max(low + 1.0, np.nextafter(low, np.inf)))
    return low, high


def apply(values: NDArray[Any], low: float, high: float) -> Pixels:
    """One band of any shape and real type to 8 bit. NaN becomes 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        unit = (values.astype(np.float64) - low) * (255.0 / (high - low))
    return np.nan_to_num(np.rint(unit), nan=0.0).clip(0, 255).astype(np.uint8)


class Stretcher:
    """Applies a Stretch to px of one type; 16-bit types go through a table, which gives the same values sooner."""

    def __init__(self, stretch: Stretch, dtype: np.dtype[Any]) -> None:
        """Make the tables where the type allows it."""
        self.stretch = stretch
        self._tables: list[Pixels] = []
        if dtype.kind in "ui" and dtype.itemsize * 8 == _TABLE_BITS:
            every = np.arange(2**_TABLE_BITS, dtype=np.uint16).view(dtype)
            self._tables = [apply(every, *ends) for ends in zip(stretch.low, stretch.high, strict=True)]

    def __call__(self, values: NDArray[Any], band: int) -> Pixels:
        """Px of the band-th band (from 0), any shape, to 8 bit."""
        if self._tables:
            return self._tables[band][np.ascontiguousarray(values).view(np.uint16)]
        return apply(values, self.stretch.low[band], self.stretch.high[band])

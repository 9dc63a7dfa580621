"""Chance, for drawings."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def maybe(rng: np.random.Generator, share: float) -> bool:
    """True in a share (0 to 1) of all cases."""
    return bool(rng.random() < share)

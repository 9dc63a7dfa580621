"""Which sides tiles can have. The network casts and scales inside: windows are read straight into its batch."""

from __future__ import annotations


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is not below the value."""
    return -(-value // multiple) * multiple


def fit_tile(width: int, height: int, tile_px: int, multiple_px: int) -> int:
    """Side of the square tiles for a frame of width x height px: the model's own, or less where the frame is small."""
    return min(tile_px, round_up(max(width, height), multiple_px))

"""Which bands of a TIFF make the picture, and which of its px are valid: what the file says of itself.

`file` is an open rasterio dataset throughout; rasterio has no types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from rasterio.enums import ColorInterp, MaskFlags

from edge.scene_source import COLOUR, GREY

if TYPE_CHECKING:
    from rasterio.windows import Window as RasterWindow

    from edge.scale import Pixels, Valid

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_BYTE = 8


def choose_bands(file: Any) -> tuple[tuple[int, ...], str | None]:  # noqa: ANN401 - no types
    """Bands to read, from 1, and a warning or None.

    Three as the file names its colours; else the first three that are not alpha; of one or two the first, as grey.
    """
    colours = list(file.colorinterp)
    if all(c in colours for c in _RGB):
        return tuple(colours.index(c) + 1 for c in _RGB), None
    shown = [i for i, c in enumerate(colours, 1) if c != ColorInterp.alpha] or [1]
    if len(shown) < COLOUR:
        return (shown[0],), None
    if len(shown) == COLOUR:
        return tuple(shown), None
    warning = (
        f"has {len(shown)} bands and does not say which are red, green and blue: bands 1, 2 and 3 are read as these;"
        " choose others by --bands"
    )
    return tuple(shown[:COLOUR]), warning


def find_palette(file: Any, bands: tuple[int, ...]) -> Pixels | None:  # noqa: ANN401 - no types
    """RGBA with shape (values, 4), where the one band to be read holds indices of it."""
    if len(bands) != GREY or file.colorinterp[bands[0] - 1] != ColorInterp.palette:
        return None
    table = np.zeros((2 ** (_BYTE * pixel_type(file).itemsize), 4), np.uint8)
    for value, colour in file.colormap(bands[0]).items():
        table[value] = colour
    return table


def pixel_type(file: Any) -> np.dtype[Any]:  # noqa: ANN401 - no types
    """The numpy type of a px; complex integers, which numpy lacks, as complex floats."""
    name = file.dtypes[0]
    return np.dtype(np.complex64 if name.startswith("complex_int") else name)


def is_plain_8_bit(file: Any) -> bool:  # noqa: ANN401 - no types
    """Whether px are bytes that use all of their 8 bits."""
    bits = file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS")
    return pixel_type(file) == np.uint8 and int(bits or _BYTE) == _BYTE


def all_valid(file: Any, bands: tuple[int, ...]) -> bool:  # noqa: ANN401 - no types
    """Whether the file has no mask, alpha or nodata for one of the bands, and so for a px."""
    return any(MaskFlags.all_valid in file.mask_flag_enums[b - 1] for b in bands)


def read_valid(file: Any, bands: tuple[int, ...], part: RasterWindow, shape: tuple[int, int]) -> Valid:  # noqa: ANN401
    """What the file's masks, alpha and nodata leave of a window, shape (h, w): px of which any band is valid."""
    if all_valid(file, bands):
        return np.ones(shape, np.bool_)
    shared = all(MaskFlags.per_dataset in file.mask_flag_enums[b - 1] for b in bands)
    asked = list(bands[:1] if shared else bands)
    masks = file.read_masks(asked, window=part, out_shape=(len(asked), *shape))
    valid: Valid = (masks != 0).any(0)
    return valid

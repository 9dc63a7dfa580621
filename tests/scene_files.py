"""Writes the image files that the tests of edge.scene and edge.aoi read, by other means than edge.scene's own."""

from __future__ import annotations

import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

HARBOUR = Affine(0.5, 0.0, 551000.0, 0.0, -0.5, 4182000.0)
"""0.5 m px in UTM zone 10, San Francisco bay."""


def ground(transform: Affine, x: float, y: float) -> tuple[float, float]:
    """Where a px lies. Spelled out: affine 2 multiplies by *, affine 3 by @ and warns of *."""
    a, b, c, d, e, f = transform[:6]
    return a * x + b * y + c, d * x + e * y + f


def write_tiff(path: Path, bands: NDArray[Any], *, mask: NDArray[np.bool_] | None = None, **profile: Any) -> Path:  # noqa: ANN401
    """Bands (bands, h, w) as a TIFF; `crs` and `transform` as asked, none by default; an internal mask if given."""
    count, height, width = bands.shape
    interpretation, colormap = profile.pop("colorinterp", None), profile.pop("colormap", None)
    shape = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": bands.dtype}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **shape, **profile) as file:
            if interpretation:
                file.colorinterp = interpretation
            if colormap:
                file.write_colormap(1, colormap)
            file.write(bands)
            if mask is not None:
                file.write_mask(mask)
    return path


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes, *extra: bytes) -> bytes:
    """An 8-bit RGB PNG: a filter byte and width * 3 bytes a row; extra chunks go before the data."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + data


def animated_png(pictures: list[bytes]) -> bytes:
    """An animation of 2 x 2 px pictures, each given by its rows."""
    control = [png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 2, 2, 0, 0, 1, 10, 0, 0)) for n in (0, 1, 3, 5)]
    still = png(2, 2, pictures[0], png_chunk(b"acTL", struct.pack(">II", len(pictures), 0)), control[0])
    end = len(still) - 12
    rest = [
        control[n] + png_chunk(b"fdAT", struct.pack(">I", 2 * n) + zlib.compress(rows))
        for n, rows in enumerate(pictures[1:], 1)
    ]
    return still[:end] + b"".join(rest) + still[end:]


def gif(width: int, height: int, frames: list[int]) -> bytes:
    """A GIF of 128 greys; each frame is filled with one of them. Needs width * height < 126: one run of codes."""
    table = bytes(2 * grey for grey in range(128) for _ in range(3))
    out = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF6, 0, 0) + table
    for grey in frames:
        codes = bytes([0x80] + [grey] * (width * height) + [0x81])  # clear, px, end: each 8 bits wide
        out += b"!\xf9\x04\x00\x0a\x00\x00\x00" + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
        out += b"\x07" + bytes([len(codes)]) + codes + b"\x00"
    return out + b";"


def exif_orientation(value: int) -> bytes:
    """A JPEG segment that says how the camera was held."""
    tiff = b"II*\x00" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)
    body = b"Exif\x00\x00" + tiff
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body

"""Small real files of every kind that the server reads: what the fuzzer starts from."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import rasterio

from edge.assets import samples_dir
from tests.scene_files import HARBOUR, animated_png, exif_orientation, gif, ground, write_tiff
from tests.toy_model import picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIDE = 96
AREAS = (
    b'{"type":"Polygon","coordinates":[[[0,0],[90,0],[90,60],[0,60],[0,0]]]}',
    (
        b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":{"type":"MultiPolygon",'
        b'"coordinates":[[[[1,1],[50,1],[50,50],[1,50],[1,1]],[[5,5],[9,5],[9,9],[5,9],[5,5]]]]}}]}'
    ),
)
TIFFS: dict[str, dict[str, Any]] = {
    "strips": {},
    "deflate": {"compress": "deflate", "blockysize": 16},
    "lzw": {"compress": "lzw", "predictor": 2},
    "packbits": {"compress": "packbits", "interleave": "band"},
    "jpeg": {"compress": "jpeg", "tiled": True, "blockxsize": 32, "blockysize": 32, "photometric": "YCBCR"},
    "tiled": {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "deflate"},
    "webp": {"compress": "webp"},
    "zstd": {"compress": "zstd"},
    "lerc": {"compress": "lerc"},
    "big": {"BIGTIFF": "YES", "compress": "deflate"},
    "endian": {"ENDIANNESS": "BIG"},
    "geo": {"crs": "EPSG:32610", "transform": HARBOUR, "compress": "lzw"},
    "wgs84": {"crs": "EPSG:4326", "transform": rasterio.Affine(1e-5, 0, 4.1, 0, -1e-5, 51.9)},
    "alpha": {"count": 4, "alpha": "YES"},
    "cmyk": {"count": 4, "photometric": "CMYK"},
    "grey": {"count": 1, "nodata": 7},
    "bands": {"count": 7, "interleave": "band"},
    "bits": {"count": 1, "NBITS": "1"},
    "uint16": {"dtype": np.uint16, "nodata": 0, "compress": "deflate", "predictor": 2},
    "int16": {"dtype": np.int16, "count": 1},
    "float32": {"dtype": np.float32, "nodata": -9999.0, "compress": "deflate", "predictor": 3},
    "float64": {"dtype": np.float64, "count": 1},
    "mask": {"mask": True, "compress": "deflate"},
    "palette": {"count": 1, "colormap": {n: (n, 255 - n, 7, 255) for n in range(256)}},
}
"""Names and how to write them; see `write_tiff`."""


def _px() -> NDArray[np.uint8]:
    """A picture (h, w, 3) with vessels and some noise."""
    found = picture(SIDE, SIDE, {(2, 3): 255, (6, 7): 204, (9, 2): 100})
    noise = np.random.default_rng(5).integers(0, 40, found.shape, np.uint8)
    return np.maximum(found, noise)


def pictures() -> dict[str, bytes]:
    """JPEG, PNG, WebP, BMP and GIF."""
    colour, grey = _px()[..., ::-1], _px()[..., 0]
    alpha = np.dstack([colour, np.full(grey.shape, 200, np.uint8)])
    kinds: dict[str, tuple[str, NDArray[Any], list[int]]] = {
        "jpeg": (".jpg", colour, []),
        "jpeg-grey": (".jpg", grey, []),
        "jpeg-progressive": (".jpg", colour, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 8]),
        "png": (".png", colour, []),
        "png-grey": (".png", grey, []),
        "png-alpha": (".png", alpha, []),
        "png-16": (".png", colour.astype(np.uint16) * 200, []),
        "png-bits": (".png", (grey > 20).astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1]),
        "webp": (".webp", colour, [cv2.IMWRITE_WEBP_QUALITY, 60]),
        "webp-lossless": (".webp", alpha, [cv2.IMWRITE_WEBP_QUALITY, 101]),
        "bmp": (".bmp", colour, []),
        "bmp-grey": (".bmp", grey, []),
    }
    found = {}
    for name, (suffix, px, how) in kinds.items():
        done, data = cv2.imencode(suffix, px, how)
        assert done, name
        found[name] = data.tobytes()
    rows = (b"\x00" + bytes([90] * 6)) * 2
    jpeg = found["jpeg"]
    return {
        **found,
        "jpeg-exif": jpeg[:2] + exif_orientation(6) + jpeg[2:],
        "png-animated": animated_png([rows, rows]),
        "gif": gif(12, 10, [20, 40, 60]),
    }


def tiffs(folder: Path) -> dict[str, bytes]:
    """TIFFs of every make; and one with overviews."""
    found = {}
    for name, how in TIFFS.items():
        profile = dict(how)
        kind, count = np.dtype(profile.pop("dtype", np.uint8)), profile.pop("count", 3)
        px = np.stack([_px()[..., n % 3] for n in range(count)]).astype(kind) * (100 if kind.itemsize > 1 else 1)
        if "NBITS" in profile:
            px = (px > 20).astype(np.uint8)
        mask = px[0] > 3 if profile.pop("mask", False) else None
        path = write_tiff(folder / f"{name}.tif", px, mask=mask, **profile)
        found[name] = path.read_bytes()
    with rasterio.open(folder / "geo.tif", "r+") as file:
        file.build_overviews([2, 4], rasterio.enums.Resampling.average)
    found["overviews"] = (folder / "geo.tif").read_bytes()
    return found


def crop(folder: Path) -> bytes:
    """A piece of the sample scene, with its georeferencing."""
    with rasterio.open(next(iter(sorted(samples_dir().glob("*.tif"))))) as file:
        window = rasterio.windows.Window(200, 200, 160, 128)
        x, y = ground(file.transform, window.col_off, window.row_off)
        moved = rasterio.Affine(*file.transform[:2], x, *file.transform[3:5], y)
        how = {"crs": file.crs, "transform": moved, "compress": "deflate"}
        return write_tiff(folder / "crop.tif", file.read(window=window), **how).read_bytes()


def samples() -> dict[str, bytes]:
    """All of them, by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {**pictures(), **{f"tiff-{key}": data for key, data in tiffs(folder).items()}, "crop": crop(folder)}

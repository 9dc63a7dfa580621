"""The scene of the benchmarks: a port between textured water and land, the same at every run, in four formats.

    python -m benchmarks.scenes --side 8192 --gsd 1

A quarter of it is the synthetic sample scene, turned and mirrored; the rest is open water with swell, wakes and
whitecaps, and a coast. Plain colour or noise would be no fair input: the first is skipped, the second runs at another
speed. Files are made once and kept in the work folder.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine

from benchmarks.common import SIDE_PX, add_work, finish, headline, say
from edge.assets import samples_dir
from training.synth_water import cloudiness, ground, wake, water, whitecaps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

SUFFIX = {"jpeg": ".jpg", "png": ".png", "geotiff": ".tif", "cog": ".cog.tif"}
FINE_GSD_M = 0.5
EDITION = 1
"""Part of the files' names: to be raised where the picture changes."""
JPEG_QUALITY = 90
BLOCK = 512
HARBOUR_SHARE = 0.25
LAND_SHARE = 0.12
"""Of the width, in the mean: a coast on the left."""
_SAMPLE_GSD_M = 1.0
_SEA, _LAND = (22, 38, 52), (112, 106, 84)
_SEA_SEED = 18
"""Of forty seas one with a swell that shows; half of them are nearly calm."""
_WAKE_EVERY_PX = 1.5e6
_WHITECAPS = 0.002
_NOISE = 1.5
"""Grey levels that a sensor adds; an enlarged picture has none of its own."""


def _harbour(gsd_m: float) -> Pixels:
    """The sample scene at a GSD, (h, w, 3) RGB."""
    with rasterio.open(samples_dir() / "synthetic-terminal.tif") as sample:
        picture = np.ascontiguousarray(sample.read().transpose(1, 2, 0))
    zoom = _SAMPLE_GSD_M / gsd_m
    return (
        picture if zoom == 1 else np.asarray(cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC))
    )


def _pieces(harbour: Pixels, side: int) -> tuple[Pixels, int]:
    """What is laid into a scene of `side` px, and how often: a quarter of the scene, cut where it is a small one."""
    wanted = HARBOUR_SHARE * side**2
    height, width = harbour.shape[:2]
    if height * width <= 1.5 * wanted:
        return harbour, max(1, round(wanted / (height * width)))
    part = side // 2
    top, left = (height - part) // 2, (width - part) // 2
    return harbour[top : top + part, left : left + part], 1


def _turned(picture: Pixels, number: int) -> Pixels:
    """One of the eight ways to lay a picture."""
    turned = np.rot90(picture, number % 4)
    return turned[:, ::-1] if number % 8 >= 4 else turned  # noqa: PLR2004 - four turns, then the same mirrored


def _lay(scene: Pixels, gsd_m: float, rng: np.random.Generator) -> None:
    """Lay the harbours into a scene, each somewhere in a cell of its own."""
    side = len(scene)
    piece, count = _pieces(_harbour(gsd_m), side)
    cells = math.ceil(math.sqrt(count))
    for number in range(count):
        part = _turned(piece, number)
        height, width = part.shape[:2]
        row, column = divmod(number, cells)
        y = row * side // cells + int(rng.integers(0, side // cells - height + 1))
        x = column * side // cells + int(rng.integers(0, side // cells - width + 1))
        scene[y : y + height, x : x + width] = part


def _coast(scene: Pixels, gsd_m: float, rng: np.random.Generator) -> None:
    """Put land along the left side."""
    side = len(scene)
    reach = np.rint(side * LAND_SHARE * (1 + 0.5 * cloudiness(rng, 1, side, side / 12)[:, 0])).astype(int)
    reach = np.clip(reach, 0, side // 2)
    land = ground(rng, max(int(reach.max()), 1), side, gsd_m, _LAND)
    shown = np.arange(land.shape[1]) < reach[:, None]
    scene[:, : land.shape[1]][shown] = land[shown]


def render(side: int, gsd_m: float) -> Pixels:
    """The scene, (side, side, 3) RGB; the same for the same arguments."""
    rng = np.random.default_rng([EDITION, side, round(1000 * gsd_m)])
    scene = water(np.random.default_rng(_SEA_SEED), side, side, gsd_m, _SEA)
    for _ in range(round(side**2 / _WAKE_EVERY_PX) + 1):
        x, y = rng.uniform(0, side, 2).tolist()
        length = float(rng.uniform(40, 250)) / gsd_m
        wake(rng, scene, (x, y), float(rng.uniform(0, 2 * np.pi)), length, length / 6)
    whitecaps(rng, scene[: side // 3], gsd_m, _WHITECAPS)
    _coast(scene, gsd_m, rng)
    _lay(scene, gsd_m, rng)
    for y in range(0, side, BLOCK):
        strip = scene[y : y + BLOCK]
        noise = rng.standard_normal(strip.shape, np.float32) * np.float32(_NOISE)
        strip[:] = np.clip(np.rint(strip + noise), 0, 255).astype(np.uint8)
    return scene


def _write_geotiff(path: Path, picture: Pixels, gsd_m: float) -> None:
    """A deflated GeoTIFF in blocks."""
    height, width = picture.shape[:2]
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=3, dtype="uint8", tiled=True, blockxsize=BLOCK,
        blockysize=BLOCK, compress="deflate", interleave="pixel", photometric="rgb", crs="EPSG:32630",
        transform=Affine(gsd_m, 0, 400_000, 0, -gsd_m, 100_000),
    ) as file:  # fmt: skip
        file.write(picture.transpose(2, 0, 1))


def _write(path: Path, kind: str, picture: Pixels, gsd_m: float) -> None:
    """Write a picture in one of the formats."""
    if kind == "jpeg":
        cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    elif kind == "png":
        cv2.imwrite(str(path), picture[..., ::-1])
    elif kind == "geotiff":
        _write_geotiff(path, picture, gsd_m)
    else:
        plain = path.with_suffix(".plain.tif")
        _write_geotiff(plain, picture, gsd_m)
        rasterio.shutil.copy(
            plain, path, driver="COG", blocksize=BLOCK, compress="deflate", overview_resampling="average"
        )
        plain.unlink()


def scene_file(work: Path, kind: str = "jpeg", side: int = SIDE_PX, gsd_m: float = 1.0) -> Path:
    """A scene's file in one of the formats of SUFFIX; made where it is not there yet.

    All formats hold the px of the PNG but the JPEG, which is lossy.
    """
    work.mkdir(parents=True, exist_ok=True)
    path = work / f"port-{side}px-{gsd_m:g}m-{EDITION}{SUFFIX[kind]}"
    if path.exists():
        return path
    say(f"making {path}")
    png = path.with_name(path.name.removesuffix(SUFFIX[kind]) + SUFFIX["png"])
    picture = np.asarray(cv2.imread(str(png)), np.uint8)[..., ::-1] if png.exists() else render(side, gsd_m)
    for wanted, target in {"png": png, kind: path}.items():
        if not target.exists():
            part = target.with_name(f"part-{target.name}")
            _write(part, wanted, picture, gsd_m)
            part.replace(target)
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Make the files, print where they are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenes", description=headline(__doc__))
    add_work(parser)
    parser.add_argument("--side", type=int, default=SIDE_PX, help="px (%(default)s)")
    parser.add_argument("--gsd", type=float, default=1.0, help="m/px (%(default)s)")
    parser.add_argument("--kinds", nargs="+", choices=list(SUFFIX), default=list(SUFFIX), help="formats (all)")
    args = parser.parse_args(argv)
    files = {kind: str(scene_file(args.work, kind, args.side, args.gsd)) for kind in args.kinds}
    return finish("scenes", {"side_px": args.side, "gsd_m": args.gsd, "files": files})


if __name__ == "__main__":
    raise SystemExit(main())

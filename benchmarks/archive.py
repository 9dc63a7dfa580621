"""An archive to score: many small pictures out of labelled sets, and some large scenes, the same at every run.

    python -m benchmarks.archive --data ../shared/data --tiles 20000 --large 30

Each small one is a picture of the sets, whole or a part of it, laid in one of eight ways, a little lighter or darker,
with noise: no two files have the same px. Large scenes are the benchmarks' own, laid in eight ways too, a third of them
of 8192 px and the others of half that side. Files are made once and kept in the work folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.common import SIDE_PX, add_work, finish, headline, say
from benchmarks.scenes import JPEG_QUALITY, scene_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

EDITION = 2
"""Part of the folder's name: to be raised where the pictures change."""
TILES, LARGE = 20_000, 30
TILE_PX, LEAST_PX = 512, 240
"""Longest side of a small picture; shorter ones than the second are no tiles."""
HUGE_OF = 3
"""One large scene of so many has the full side."""
LIGHTER, NOISE = 6, 1.0
"""Grey levels, up or down, and of a sensor: sets have the same picture twice here and there."""
WAYS = 8
SUFFIXES = {".jpg", ".jpeg", ".png"}


def sources(data: Path) -> list[Path]:
    """Pictures of the sets, by set and name."""
    return sorted(path for path in data.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def laid(picture: Pixels, way: int) -> Pixels:
    """One of the eight ways to lay a picture (h, w, 3)."""
    turned = np.rot90(picture, way % 4)
    return np.ascontiguousarray(turned[:, ::-1] if way % WAYS >= WAYS // 2 else turned)


def part_of(picture: Pixels, rng: np.random.Generator) -> Pixels:
    """A picture of at most TILE_PX a side, a little lighter or darker."""
    height, width = (min(side, TILE_PX) for side in picture.shape[:2])
    y, x = (int(rng.integers(0, have - want + 1)) for have, want in zip(picture.shape, (height, width), strict=False))
    part = picture[y : y + height, x : x + width] + float(rng.integers(-LIGHTER, LIGHTER + 1))
    return np.clip(np.rint(part + NOISE * rng.standard_normal(part.shape)), 0, 255).astype(np.uint8)


def _write(path: Path, picture: Pixels) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{path.name}")
    cv2.imwrite(str(part), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    part.replace(path)


def _small(folder: Path, data: Path, tiles: int) -> None:
    """Write the small pictures, a folder a set."""
    usable = [path for path in sources(data) if _sides(path) >= LEAST_PX]
    if not usable:
        message = f"there are no pictures in {data}"
        raise SystemExit(message)
    for number in range(tiles):
        source = usable[number % len(usable)]
        path = folder / source.relative_to(data).parts[0] / f"{number:05}-{source.stem}.jpg"
        if not path.exists():
            rng = np.random.default_rng([EDITION, number])
            picture = np.asarray(cv2.imread(str(source)), np.uint8)
            _write(path, laid(part_of(picture, rng), number // len(usable)))


def _sides(path: Path) -> int:
    """Shorter side, px; 0 of what is no picture."""
    picture = cv2.imread(str(path))
    return 0 if picture is None else min(picture.shape[:2])


def _large(folder: Path, work: Path, number: int, side: int) -> None:
    """Write the large scenes."""
    for i in range(number):
        this = side if i % HUGE_OF == 0 else side // 2
        path = folder / "large" / f"{i:02}-{this}px.jpg"
        if not path.exists():
            picture = np.asarray(cv2.imread(str(scene_file(work, "jpeg", this))), np.uint8)
            _write(path, laid(np.roll(picture, 997 * i, 1), i))


def archive(work: Path, data: Path, tiles: int = TILES, large: int = LARGE, side: int = SIDE_PX) -> Path:
    """The folder of an archive; what is missing in it is made.

    Args:
        work: where it is kept.
        data: folder of the sets.
        tiles: small pictures.
        large: large scenes.
        side: of the largest, px.
    """
    folder = work / f"archive-{tiles}-{large}x{side}-{EDITION}"
    mark = folder / ".whole"
    if not mark.exists():
        say(f"making {folder}")
        _small(folder, data, tiles)
        _large(folder, work, large, side)
        mark.touch()
    return folder


def add_archive(parser: argparse.ArgumentParser) -> None:
    """The options that say what is in it."""
    add_work(parser)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="labelled sets (%(default)s)")
    parser.add_argument("--tiles", type=int, default=TILES, help="small pictures (%(default)s)")
    parser.add_argument("--large", type=int, default=LARGE, help="large scenes (%(default)s)")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="of the largest, px (%(default)s)")


def main(argv: Sequence[str] | None = None) -> int:
    """Make the archive, print where it is."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.archive", description=headline(__doc__))
    add_archive(parser)
    args = parser.parse_args(argv)
    folder = archive(args.work, args.data, args.tiles, args.large, args.side)
    files = [path for path in folder.rglob("*.jpg") if path.is_file()]
    return finish(
        "archive", {"folder": str(folder), "files": len(files), "bytes": sum(p.stat().st_size for p in files)}
    )


if __name__ == "__main__":
    raise SystemExit(main())

"""Speed and memory of reading a large scene in each format: all tiles row by row, and the coarse frame.

    python -m benchmarks.reading [--smoke]

The scene is a mosaic of the sample scene and its mirror images. Each figure is the median of some runs, each in a
process of its own; memory is the growth of its peak over what it held before it opened the scene.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import rasterio
import rasterio.shutil
from rasterio.errors import NotGeoreferencedWarning

from edge.assets import samples_dir
from edge.geometry import Window
from edge.scene import Scale, open_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIDE, SMOKE_SIDE = 8192, 1600
TILE, OVERLAP, DOWN = 640, 128, 4
STATUS = Path("/proc/self/status")


def mosaic(side: int) -> NDArray[np.uint8]:
    """A side x side scene, RGB with shape (3, side, side)."""
    with rasterio.open(samples_dir() / "synthetic-terminal.tif") as file:
        sample = file.read()
    row = np.concatenate([sample, sample[:, :, ::-1]], 2)
    part = np.concatenate([row, row[:, ::-1]], 1)
    copies = [1, *(-(-side // n) for n in part.shape[1:])]
    return np.ascontiguousarray(np.tile(part, copies)[:, :side, :side])


def make(folder: Path, side: int) -> dict[str, Path]:
    """Write the scene in all formats."""
    bands = mosaic(side)
    picture = np.ascontiguousarray(bands[::-1].transpose(1, 2, 0))
    files = {"JPEG": folder / "scene.jpg", "PNG": folder / "scene.png"}
    cv2.imwrite(str(files["JPEG"]), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    cv2.imwrite(str(files["PNG"]), picture)
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 3, "dtype": "uint8", "compress": "deflate"}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    for name, layout in (("strips", {}), ("tiles", tiles)):
        files[f"TIFF, {name}"] = folder / f"{name}.tif"
        with rasterio.open(files[f"TIFF, {name}"], "w", **profile, **layout) as file:
            file.write(bands)
    files["COG"] = folder / "cog.tif"
    with rasterio.open(files["TIFF, tiles"]) as file:
        rasterio.shutil.copy(file, files["COG"], driver="COG", compress="deflate")
    return files


def read_tiles(path: Path) -> int:
    """Read all tiles at full resolution; their number."""
    tile, count = np.empty((TILE, TILE, 3), np.uint8), 0
    with open_scene(path) as scene:
        for y in range(0, max(scene.height - OVERLAP, 1), TILE - OVERLAP):
            for x in range(0, max(scene.width - OVERLAP, 1), TILE - OVERLAP):
                scene.read_into(Window(x, y, TILE, TILE), Scale(), tile)
                count += 1
    return count


def read_coarse(path: Path) -> int:
    """Read the coarse frame by tiles; their number."""
    tile, count, scale = np.empty((TILE, TILE, 3), np.uint8), 0, Scale(down=DOWN)
    with open_scene(path) as scene:
        width, height = scene.working_size(scale)
        for y in range(0, height, TILE):
            for x in range(0, width, TILE):
                scene.read_into(Window(x, y, TILE, TILE), scale, tile, quick=True)
                count += 1
    return count


def _memory_mb(field: str) -> float:
    """VmRSS or VmHWM (its peak) of this process, MB; NaN where the system does not tell."""
    found = re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text(encoding="ascii")) if STATUS.exists() else None
    return int(found[1]) / 1000 if found else float("nan")


def child(path: Path, what: str) -> None:
    """Read once, and print what it took."""
    before, start = _memory_mb("VmRSS"), time.perf_counter()
    tiles = (read_coarse if what == "coarse" else read_tiles)(path)
    seconds = time.perf_counter() - start
    print(json.dumps({"tiles": tiles, "s": seconds, "grown_mb": _memory_mb("VmHWM") - before}))


def measure(path: Path, what: str, runs: int) -> dict[str, Any]:
    """Medians of some runs, each in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.reading", "--child", str(path), what]
    rows = []
    for _ in range(runs):
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    medians = {key: statistics.median(row[key] for row in rows) for key in ("s", "grown_mb")}
    return {"tiles": rows[0]["tiles"], **medians}


def main(argv: Sequence[str] | None = None) -> int:
    """Make, read, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="of each figure; the median is given")
    parser.add_argument("--smoke", action="store_true", help=f"a scene of {SMOKE_SIDE} px a side, read once")
    parser.add_argument("--child", nargs=2, metavar=("SCENE", "WHAT"), help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.child:
        child(Path(args.child[0]), args.child[1])
        return 0
    side, runs = (SMOKE_SIDE, 1) if args.smoke else (SIDE, args.runs)
    rows = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for name, path in make(Path(folder), side).items():
            for what in ("tiles", "coarse"):
                got = measure(path, what, runs)
                speed = round(side * side / 1e6 / got["s"], 1)
                row = {"format": name, "read": what, "tiles": got["tiles"], "wall_s": round(got["s"], 3)}
                rows.append({**row, "scene_mp_per_s": speed, "grown_mb": round(got["grown_mb"], 1)})
                print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    print(json.dumps({"benchmark": "reading", "side_px": side, "runs": runs, "rows": rows}, allow_nan=False))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

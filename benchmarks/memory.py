"""Peak memory of counting scenes: tiled GeoTIFFs that are made on the spot, and JPEGs, which are decoded whole.

    python -m benchmarks.memory --sides 15000 30000 --jpeg 8192

The GeoTIFF is mostly water, 0.25 m/px, with the sample scene laid into it here and there; the JPEG is the scene of the
other benchmarks, 1 m/px.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

from benchmarks.common import WORK
from edge.assets import samples_dir

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCK = 512
WATER = (34, 58, 66)
CHILD = (
    "import re, sys; from edge.cli import main; code = main(sys.argv[1:]);"
    "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]) // 1024); sys.exit(code)"
)
"""Linux's peak of this very program; ru_maxrss would begin with that of the process that started it."""


def make_scene(path: Path, side: int, gsd_m: float) -> Path:
    """Write a side x side px tiled GeoTIFF of water with harbours in it, block by block."""
    with rasterio.open(samples_dir() / "synthetic-terminal.tif") as sample:
        harbour = sample.read()
    profile = {
        "driver": "GTiff", "width": side, "height": side, "count": 3, "dtype": "uint8", "tiled": True,
        "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1, "crs": "EPSG:32630",
        "transform": Affine(gsd_m, 0, 400_000, 0, -gsd_m, 100_000), "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    rng = np.random.default_rng(0)
    water = np.array(WATER, np.int16)[:, None, None] + rng.integers(-4, 5, (3, BLOCK, BLOCK))
    water = water.astype(np.uint8)
    with rasterio.open(path, "w", **profile) as scene:
        for y in range(0, side, BLOCK):
            for x in range(0, side, BLOCK):
                height, width = min(BLOCK, side - y), min(BLOCK, side - x)
                scene.write(water[:, :height, :width], window=Window(x, y, width, height))
        for place in range(0, side - harbour.shape[2], 6000):
            scene.write(harbour, window=Window(place, place % 7000, harbour.shape[2], harbour.shape[1]))
    return path


def peak(path: Path, model: str | None, options: Sequence[str] = ()) -> dict[str, float | int]:
    """Count a scene in a process of its own; peak resident memory in MB, and what it found.

    Raises:
        RuntimeError: the count failed.
    """
    command = [sys.executable, "-c", CHILD, "count", str(path), "--json", *options]
    command += ["--model", model] if model else []
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode:
        message = f"counting {path.name} failed: {done.stderr}"
        raise RuntimeError(message)
    document, rss = done.stdout.splitlines()
    found = json.loads(document)
    return {
        "file": path.suffix.removeprefix("."),
        "side_px": found["width"],
        "rss_mb": int(rss),
        "provider": found["model"]["provider"],
        "precision": found["model"]["precision"],
        "vessels": found["counts"]["vessel"],
        "tiles": found["tiles"]["planned"],
        "coverage": found["coverage"],
        "wall_s": round(time.perf_counter() - begun, 1),
    }


def jpeg_scene(work: Path, side: int) -> Path:
    """The JPEG of the other benchmarks; made by what draws it, which is loaded only where it is needed."""
    from benchmarks.scenes import scene_file  # noqa: PLC0415

    return scene_file(work, "jpeg", side)


def main(argv: Sequence[str] | None = None) -> int:
    """Make, count, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="*", default=[15_000, 30_000], help="px of the GeoTIFFs")
    parser.add_argument("--jpeg", type=int, nargs="*", default=[], help="px of the JPEGs")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of the scenes (%(default)s)")
    parser.add_argument("--gsd", type=float, default=0.25, help="m/px")
    parser.add_argument("--model", help="a shipped model or a model folder")
    parser.add_argument("--precision", default="auto", help="what the network computes in (%(default)s)")
    parser.add_argument(
        "--threads", default="0", help="workers; with 1 the peak does not depend on which tiles coincide"
    )
    args = parser.parse_args(argv)
    rows = []
    options = ["--precision", args.precision, "--threads", args.threads]
    for side in args.jpeg:
        rows.append(peak(jpeg_scene(args.work, side), args.model, [*options, "--gsd", "1"]))
        print("  ".join(f"{k} {v}" for k, v in rows[-1].items()), flush=True)
    args.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.work) as folder:  # some hold their temporary files in memory
        for side in args.sides:
            scene = make_scene(Path(folder) / f"{side}.tif", side, args.gsd)
            rows.append(peak(scene, args.model, options))
            scene.unlink()
            print("  ".join(f"{k} {v}" for k, v in rows[-1].items()), flush=True)
    print(json.dumps({"benchmark": "memory", "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

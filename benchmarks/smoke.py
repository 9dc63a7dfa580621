"""A quick look at the speed of the shipped model on the sample scene: medians over a few runs.

python -m benchmarks.smoke
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING

from edge.assets import samples_dir
from edge.catalogue import DEFAULT_MODEL, find_model
from edge.detector import load_detector
from edge.pipeline import ScanOptions, cores, scan
from edge.scene import open_scene

if TYPE_CHECKING:
    from collections.abc import Sequence


def measure(runs: int, threads: int) -> dict[str, float | int | str]:
    """Medians of some runs, after one that does not count."""
    detector = load_detector(find_model(DEFAULT_MODEL), "cpu")
    path = samples_dir() / "synthetic-terminal.tif"
    walls, shares = [], []
    for number in range(runs + 1):
        with open_scene(path) as scene:
            begun = time.perf_counter()
            result = scan(scene, detector, ScanOptions(threads=threads))
            wall = time.perf_counter() - begun
            pixels = scene.width * scene.height
        if number:
            walls.append(wall)
            busy = result.seconds["read"] + result.seconds["infer"]
            shares.append(result.seconds["read"] / busy)
    wall = statistics.median(walls)
    return {
        "model": detector.card.name,
        "threads": threads,
        "runs": runs,
        "vessels": len(result.found),
        "wall_s": round(wall, 3),
        "tiles_per_s": round(result.tiles.scored / wall, 2),
        "scene_mp_per_s": round(pixels / 1e6 / wall, 2),
        "reading_share": round(statistics.median(shares), 4),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.smoke", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args(argv)
    rows = [measure(args.runs, threads) for threads in sorted({1, cores()})]
    for row in rows:
        print("  ".join(f"{k} {v}" for k, v in row.items()))
    print(json.dumps({"benchmark": "smoke", "rows": rows}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A quick look at the speed of the shipped model on the sample scene, and whether the other benchmarks still run.

    python -m benchmarks.smoke

Medians over a few runs; the other figures are of small scenes and single runs, and mean nothing. No peer is needed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import TYPE_CHECKING

from benchmarks.common import OVERLAP_PX, THRESHOLD, TILE_PX, add_work, finish, headline, table
from benchmarks.engine import Job
from benchmarks.overhead import KINDS, rows_of
from benchmarks.parts import Part, gather
from benchmarks.scenes import scene_file
from benchmarks.sides import VARIANTS
from edge.assets import samples_dir
from edge.catalogue import DEFAULT_MODEL, find_model
from edge.detector import load_detector
from edge.pipeline import ScanOptions, scan
from edge.scene import open_scene
from edge.session import cores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.common import Document

SIDE_PX = 1024
PARTS = (Part("merge", ["--smoke"]), Part("reading", ["--smoke"]))


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


def small(work: Path) -> Document:
    """Every variant of our engine that is there, beside its bare network, on a small scene in two formats."""
    job = Job(gsd_m=1.0, threshold=THRESHOLD, tile_px=TILE_PX, overlap_px=OVERLAP_PX, exhaustive=True)
    return rows_of({kind: scene_file(work, kind, SIDE_PX) for kind in KINDS}, DEFAULT_MODEL, job, (1, 0), VARIANTS)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.smoke", description=headline(__doc__))
    parser.add_argument("--runs", type=int, default=3, help="runs on the sample scene (%(default)s)")
    add_work(parser)
    args = parser.parse_args(argv)
    rows = [measure(args.runs, threads) for threads in sorted({1, cores()})]
    for row in rows:
        print("  ".join(f"{k} {v}" for k, v in row.items()))
    overhead, rest = small(args.work), gather(PARTS)
    print(table([{k: v for k, v in row.items() if k != "phases"} for row in overhead["rows"]]))
    left_out = {**overhead["left_out"], **rest["left_out"]}
    return finish("smoke", {"rows": rows, "overhead": overhead["rows"], **rest["parts"], "left_out": left_out})


if __name__ == "__main__":
    raise SystemExit(main())

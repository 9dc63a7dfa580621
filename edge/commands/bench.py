"""`tanker-edge bench`: how fast a scene is counted here, each way that the model may run, and where the time goes."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.catalogue import find_model
from edge.commands._model import add_model_arguments, add_scan_arguments
from edge.detector import open_detector
from edge.errors import TankerEdgeError, UsageError
from edge.model_card import load_card
from edge.pipeline import ScanOptions, scan
from edge.scene import SceneOptions, open_scene
from edge.speed import choose, ways

if TYPE_CHECKING:
    import argparse

    from edge.detector import Detector
    from edge.pipeline import ScanResult

LARGE_MP = 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("scene", type=Path, metavar="SCENE", help="JPEG, PNG, TIFF or GeoTIFF")
    add_model_arguments(parser)
    add_scan_arguments(parser)
    parser.add_argument("--exhaustive", action="store_true", help="only look at every tile at full resolution")
    parser.add_argument("--runs", type=int, default=3, help="counts of each way, after one that warms up (%(default)s)")


def _once(path: Path, gsd_m: float | None, detector: Detector, options: ScanOptions) -> tuple[ScanResult, float]:
    """Open, count, close; the result, and the scene's size in MP."""
    with open_scene(path, SceneOptions(gsd_m=gsd_m)) as scene:
        return scan(scene, detector, options), scene.width * scene.height / LARGE_MP


def measure(detector: Detector, path: Path, gsd_m: float | None, options: ScanOptions, runs: int) -> dict[str, Any]:
    """Medians over some counts of a scene, from the open file to the counted vessels; seconds are those of one run."""
    _once(path, gsd_m, detector, options)
    walls, results = [], []
    for _ in range(runs):
        start = time.perf_counter()
        result, megapixels = _once(path, gsd_m, detector, options)
        walls.append(time.perf_counter() - start)
        results.append(result)
    wall = statistics.median(walls)
    middle = results[walls.index(sorted(walls)[len(walls) // 2])]
    return {
        "provider": detector.provider,
        "precision": detector.precision,
        "exhaustive": options.exhaustive,
        "wall_s": round(wall, 3),
        "mp_per_s": round(megapixels / wall, 2),
        "tiles": middle.tiles.scored,
        "skipped": middle.tiles.skipped,
        "tile_px": middle.tile_px,
        "vessels": len(middle.found),
        "seconds": {k: round(v, 3) for k, v in middle.seconds.items()},
    }


def main(args: argparse.Namespace) -> int:
    """Count the scene each way; a table on stderr, one JSON document on stdout."""
    if args.runs < 1:
        raise UsageError("--runs", f"{args.runs} is no number of runs", "give 1 or more")
    card = load_card(find_model(args.model))
    choose(card, args.provider, args.precision, None)  # says why, where nothing may run
    rows: list[dict[str, Any]] = []
    failure: TankerEdgeError | None = None
    for provider, precision in ways(card, args.provider, args.precision):
        try:
            detector = open_detector(card, provider, precision, args.threads)
        except TankerEdgeError as error:
            failure = error
            print(f"tanker-edge: {error}", file=sys.stderr)
            continue
        for exhaustive in (True,) if args.exhaustive else (True, False):
            options = ScanOptions(
                max_length_m=args.max_length,
                min_length_m=args.min_length,
                threads=args.threads,
                exhaustive=exhaustive,
            )
            rows.append(measure(detector, args.scene, args.gsd, options, args.runs))
            _tell(rows[-1])
    if failure and not rows:
        raise failure
    print(json.dumps({"scene": args.scene.name, "model": card.name, "runs": args.runs, "rows": rows}))
    return 0


def _tell(row: dict[str, Any]) -> None:
    """A line for people."""
    looked = "everywhere" if row["exhaustive"] else "as usual"
    seconds = "  ".join(f"{k} {v:.2f}" for k, v in row["seconds"].items() if k != "total")
    print(
        f"{row['provider']:9s} {row['precision']:5s} {looked:11s} {row['wall_s']:8.2f} s  {row['mp_per_s']:7.1f} MP/s"
        f"  {row['tiles']} tiles of {row['tile_px']} px, {row['vessels']} vessels  ({seconds})",
        file=sys.stderr,
    )

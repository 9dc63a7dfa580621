"""What our engine adds to its network: wall time over tiles times the time of the bare session per tile.

    python -m benchmarks.overhead

Bare means the same session and the same number of workers, on tiles of the same scene that lie in memory. Both run in
turn in this process; every tile is scored.
"""

from __future__ import annotations

import argparse
import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import (
    OVERLAP_PX,
    SIDE_PX,
    THRESHOLD,
    TILE_PX,
    add_rounds,
    add_work,
    cores,
    finish,
    headline,
    machine,
    table,
)
from benchmarks.engine import Job, load, raw_run, scan_file
from benchmarks.peer_common import cut, read_bgr
from benchmarks.rounds import interleave, run_here
from benchmarks.scenes import scene_file
from benchmarks.sides import BASE, VARIANTS
from edge.catalogue import DEFAULT_MODEL
from edge.errors import TankerEdgeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.common import Document
    from benchmarks.rounds import Rounds
    from edge.detector import Detector

Turns = tuple[int, int]
"""Rounds, and how often a disturbed run is tried again."""
KINDS = ("jpeg", "geotiff")
SAMPLED = 64
"""Tiles that are held in memory; they are gone through again until there are as many as in the scene."""


def held_tiles(path: Path, job: Job) -> list[NDArray[np.uint8]]:
    """Up to SAMPLED tiles spread over a scene that OpenCV reads: batches of one, (1, h, w, 3) RGB."""
    request = {"scene": str(path), "tile_px": job.tile_px, "overlap_px": job.overlap_px}
    tiles = list(cut(read_bgr(request), request))
    return [np.ascontiguousarray(tile[None, ..., ::-1]) for _, _, tile in tiles[:: math.ceil(len(tiles) / SAMPLED)]]


def race(path: Path, held: list[NDArray[np.uint8]], detector: Detector, job: Job, turns: Turns) -> tuple[Rounds, int]:
    """Run the bare session and the engine in turn; all runs, and the number of tiles."""
    tiles = scan_file(path, detector, job).result.tiles.scored

    def bare() -> dict[str, Any]:
        with ThreadPoolExecutor(job.threads or cores()) as pool:
            for _ in pool.map(lambda i: raw_run(detector, held[i % len(held)]), range(tiles)):
                pass
        return {}

    def engine() -> dict[str, Any]:
        return dict(scan_file(path, detector, job).result.seconds)

    return interleave({"bare": lambda: run_here(bare), "engine": lambda: run_here(engine)}, *turns), tiles


def measure(path: Path, held: list[NDArray[np.uint8]], detector: Detector, job: Job, turns: Turns) -> Document:
    """One row: seconds of both, and the share of the engine's that is not the network's."""
    out, tiles = race(path, held, detector, job, turns)
    bare, engine = out.median_s("bare"), out.median_s("engine")
    if bare is None or engine is None:
        message = "neither side can be left out of an overhead"
        raise RuntimeError(message)
    shares = [r.foreign for r in itertools.chain(*out.runs.values()) if r.foreign is not None]
    last = out.runs["engine"][-1].notes
    return {
        "tiles": tiles,
        "wall_s": round(engine, 3),
        "bare_ms_per_tile": round(1000 * bare / tiles, 3),
        "overhead": round(engine / bare, 4),
        "outside_network_share": round(1 - bare / engine, 4),
        "foreign": round(max(shares), 3) if shares else None,
        "phases": {name: round(seconds, 3) for name, seconds in last.items()},
    }


def rows_of(files: dict[str, Path], model: str, job: Job, turns: Turns, variants: Sequence[str]) -> Document:
    """Rows for files (by format, a JPEG among them) and variants, and the variants that are not there."""
    rows, left_out = [], {}
    held = held_tiles(files["jpeg"], job)
    for variant in variants:
        _, provider, precision = variant.split()
        try:
            detector = load(model, provider, precision)
        except TankerEdgeError as error:
            left_out[variant] = str(error).splitlines()[0]
            continue
        rows += [{"side": variant, "kind": k, **measure(path, held, detector, job, turns)} for k, path in files.items()]
    return {"rows": rows, "left_out": left_out}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=headline(__doc__))
    add_rounds(parser)
    add_work(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="px of the scene (%(default)s)")
    parser.add_argument("--tile", type=int, default=TILE_PX, help="px of a tile (%(default)s)")
    parser.add_argument("--overlap", type=int, default=OVERLAP_PX, help="px that tiles share (%(default)s)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="which of ours (all)")
    args = parser.parse_args(argv)
    job = Job(gsd_m=1.0, threshold=THRESHOLD, tile_px=args.tile, overlap_px=args.overlap, exhaustive=True)
    files = {kind: scene_file(args.work, kind, args.side) for kind in KINDS}
    document = rows_of(files, args.model, job, (args.rounds, args.repeats), args.variants)
    print(table([{k: v for k, v in row.items() if k != "phases"} for row in document["rows"]]))
    share = {(row["side"], row["kind"]): row["outside_network_share"] for row in document["rows"]}
    document["outside_network_share"] = share.get((BASE, "jpeg"))
    document["outside_network_share_geotiff"] = share.get((BASE, "geotiff"))
    return finish("overhead", {"machine": machine(), **document})


if __name__ == "__main__":
    raise SystemExit(main())

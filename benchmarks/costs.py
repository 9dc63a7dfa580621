"""What a scene costs our engine by tile size, overlap, threads, provider and precision.

    python -m benchmarks.costs

One thing is changed at a time, from the peers' tiles on; the variants of one thing run in turn.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from benchmarks.common import (
    OVERLAP_PX,
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
from benchmarks.rounds import interleave, summaries
from benchmarks.scenes import scene_file
from benchmarks.sides import BASE, VARIANTS, Sides
from edge.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.common import Document

SIDE_PX = 4096
TILES = (512, TILE_PX, 768, 1024, 1280, 2048)
OVERLAPS = (64, OVERLAP_PX, 192, 256)
BASIS: dict[str, Any] = {
    "gsd_m": 1.0, "threshold": THRESHOLD, "tile_px": TILE_PX, "overlap_px": OVERLAP_PX, "exhaustive": True,
}  # fmt: skip


def questions() -> dict[str, dict[str, tuple[str, dict[str, Any]]]]:
    """What is varied: for each thing its values, each with the side that runs and what it is told."""
    return {
        "tile_px": {str(px): (BASE, {**BASIS, "tile_px": px}) for px in TILES},
        "overlap_px": {str(px): (BASE, {**BASIS, "overlap_px": px}) for px in OVERLAPS},
        "threads": {str(n): (BASE, {**BASIS, "threads": n}) for n in sorted({1, 2, cores(), 2 * cores()})},
        "variant": {name: (name, BASIS) for name in VARIANTS},
    }


def ask(sides: Sides, path: Path, pixels: int, rounds: int, repeats: int) -> Document:
    """Answers to all questions, as rows; and what could not run."""
    rows, left_out = [], {}
    for thing, values in questions().items():
        runners = {value: sides.runner(side, path, **request) for value, (side, request) in values.items()}
        out = interleave(runners, rounds, repeats)
        found = [{"varied": thing, "value": row.pop("side"), **row} for row in summaries(out, pixels)]
        print(f"\n{table(found)}", flush=True)
        rows += found
        left_out.update({f"{thing} {value}": reason for value, reason in out.left_out.items()})
    return {"rows": rows, "left_out": left_out}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print tables and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=headline(__doc__))
    add_rounds(parser, 3)
    add_work(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="px of the scene (%(default)s)")
    args = parser.parse_args(argv)
    path = scene_file(args.work, "jpeg", args.side)
    with Sides(args.work, args.model) as sides:
        document = ask(sides, path, args.side**2, args.rounds, args.repeats)
    return finish("costs", {"machine": machine(), "side_px": args.side, **document})


if __name__ == "__main__":
    raise SystemExit(main())

"""Our engine as a child of the benchmarks (see benchmarks.protocol); the second look is left out.

python -m benchmarks.ours --provider cpu --precision fp32
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common import LIBRARIES, headline, versions
from benchmarks.engine import Job, describe, load, scan_file
from benchmarks.protocol import Found, serve
from edge.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.protocol import Request, Runner

FIELDS = {f.name for f in fields(Job)}


def start(model: str, provider: str, precision: str) -> tuple[Runner, dict[str, Any]]:
    """Load; give what runs a request and what it runs on."""
    detector = load(model, provider, precision)

    def run(request: Request) -> Found:
        job = Job(**{name: value for name, value in request.items() if name in FIELDS})
        result = scan_file(Path(request["scene"]), detector, job).result
        notes = {
            "tiles": result.tiles.scored,
            "skipped": result.tiles.skipped,
            "tile_px": result.tile_px,
            "overlap_px": result.overlap_px,
            "phases": {name: round(value, 3) for name, value in result.seconds.items()},
        }
        return Found(result.found.corners, result.found.score, notes)

    return run, {**describe(detector), "versions": versions(LIBRARIES)}


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to quit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ours", description=headline(__doc__))
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--provider", default="cpu", help="execution provider (%(default)s)")
    parser.add_argument("--precision", default="fp32", help="precision of the network (%(default)s)")
    args = parser.parse_args(argv)
    return serve(lambda: start(args.model, args.provider, args.precision))


if __name__ == "__main__":
    raise SystemExit(main())

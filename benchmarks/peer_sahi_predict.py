"""What `sahi predict` does with a folder: its own loop over the pictures, without pictures of the results.

    python -m benchmarks.peer_sahi_predict FOLDER --network peer-640.onnx --project OUT

`sahi predict` on the command line calls this very function; loading the model is part of it.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.clock import Clock
from benchmarks.common import OVERLAP_PX, THRESHOLD, TILE_PX, finish, headline, peak_rss_mb
from benchmarks.peer_torchvision import mend

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Predict, print a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer_sahi_predict", description=headline(__doc__))
    parser.add_argument("folder", type=Path, help="of the archive")
    parser.add_argument("--network", type=Path, required=True, help="the finder as ultralytics wants it")
    parser.add_argument("--project", type=Path, required=True, help="folder of its results")
    args = parser.parse_args(argv)
    kept = mend()
    predict = importlib.import_module("sahi.predict").predict
    with Clock() as clock:
        predict(
            model_type="ultralytics",
            model_path=str(args.network),
            model_device="cpu",
            model_confidence_threshold=THRESHOLD,
            source=str(args.folder),
            slice_height=TILE_PX,
            slice_width=TILE_PX,
            overlap_height_ratio=OVERLAP_PX / TILE_PX,
            overlap_width_ratio=OVERLAP_PX / TILE_PX,
            image_size=TILE_PX,
            novisual=True,
            project=str(args.project),
            verbose=0,
        )
    _ = kept  # torch forgets an operator with the library that defined it
    return finish("peer_sahi_predict", {
        "seconds": round(clock.wall_s, 3), "cpu_s": round(clock.cpu_s, 2), "foreign": clock.foreign,
        "peak_rss_mb": peak_rss_mb(),
    })  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())

"""supervision: InferenceSlicer with its defaults, on oriented boxes from ultralytics.

python -m benchmarks.peer_supervision --network peer-640.onnx
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.peer_common import read_bgr, serve_peer
from benchmarks.peer_ultralytics import predictor
from benchmarks.protocol import Found

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.protocol import Request, Runner


def load(network: Path) -> Runner:
    """Load the network."""
    predict = predictor(network)
    supervision = importlib.import_module("supervision")  # only in the peers' virtual environment

    def run(request: Request) -> Found:
        tiles = 0

        def look(tile: NDArray[np.uint8]) -> Any:  # noqa: ANN401 - a class of theirs
            nonlocal tiles
            tiles += 1
            return supervision.Detections.from_ultralytics(predict(tile, request))

        slicer = supervision.InferenceSlicer(look, slice_wh=request["tile_px"], overlap_wh=request["overlap_px"])
        found = slicer(read_bgr(request))
        corners = found.data.get("xyxyxyxy", np.empty((0, 4, 2)))
        return Found(corners, np.empty(0) if found.confidence is None else found.confidence, {"tiles": tiles})

    return run


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to quit."""
    return serve_peer("peer_supervision", __doc__, load, argv)


if __name__ == "__main__":
    raise SystemExit(main())

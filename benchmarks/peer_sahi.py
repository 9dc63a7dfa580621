"""sahi: get_sliced_prediction with its defaults, its pass over the whole picture too.

python -m benchmarks.peer_sahi --network peer-640.onnx
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.peer_common import serve_peer, starts
from benchmarks.peer_torchvision import mend
from benchmarks.protocol import Found

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.protocol import Request, Runner


def load(network: Path) -> Runner:
    """Load sahi; the network with the first request, which has its tile size."""
    kept = mend()
    sahi, predict = importlib.import_module("sahi"), importlib.import_module("sahi.predict")
    models = {}

    def run(request: Request) -> Found:
        _ = kept  # torch forgets an operator with the library that defined it
        tile, overlap = request["tile_px"], request["overlap_px"]
        if tile not in models:
            models[tile] = sahi.AutoDetectionModel.from_pretrained(
                model_type="ultralytics",
                model_path=str(network),
                confidence_threshold=request["threshold"],
                device="cpu",
                image_size=tile,
            )
        result = predict.get_sliced_prediction(
            request["scene"],
            models[tile],
            slice_height=tile,
            slice_width=tile,
            overlap_height_ratio=overlap / tile,
            overlap_width_ratio=overlap / tile,
            verbose=0,
        )
        rows = result.object_prediction_list
        corners = [np.asarray(row.mask.segmentation[0]).reshape(-1, 2)[:4] for row in rows]
        tiles = len(starts(result.image_height, tile, overlap)) * len(starts(result.image_width, tile, overlap))
        return Found(np.array(corners).reshape(-1, 4, 2), np.array([row.score.value for row in rows]), {"tiles": tiles})

    return run


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to quit."""
    return serve_peer("peer_sahi", __doc__, load, argv)


if __name__ == "__main__":
    raise SystemExit(main())

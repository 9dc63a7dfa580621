"""ultralytics: predict() over tiles in a loop, on the ONNX network.

python -m benchmarks.peer_ultralytics --network peer-640.onnx
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.peer_common import cut, joined, read_bgr, serve_peer
from benchmarks.peer_torchvision import mend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.protocol import Found, Request, Runner


def predictor(network: Path) -> Callable[[NDArray[np.uint8], Request], Any]:
    """A function of a tile (h, w, 3) BGR and a request -> ultralytics' results of that tile."""
    kept = mend()
    from ultralytics import YOLO  # noqa: PLC0415 - only in the peers' virtual environment

    model = YOLO(str(network), task="obb")

    def predict(tile: NDArray[np.uint8], request: Request) -> Any:  # noqa: ANN401 - a class of theirs
        _ = kept  # torch forgets an operator with the library that defined it
        return model.predict(tile, imgsz=request["tile_px"], conf=request["threshold"], device="cpu", verbose=False)[0]

    return predict


def load(network: Path) -> Runner:
    """Load the network."""
    predict = predictor(network)

    def run(request: Request) -> Found:
        boxes, scores = [], []
        tiles = 0
        for x, y, tile in cut(read_bgr(request), request):
            found = predict(tile, request).obb
            rows = found.xywhr.numpy()
            rows[:, :2] += (x, y)
            boxes.append(rows)
            scores.append(found.conf.numpy())
            tiles += 1
        return joined(boxes, scores, request, tiles)

    return run


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to quit."""
    return serve_peer("peer_ultralytics", __doc__, load, argv)


if __name__ == "__main__":
    raise SystemExit(main())

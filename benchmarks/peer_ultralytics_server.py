"""ultralytics behind FastAPI: one model, predict() in an endpoint, uvicorn, as it is done everywhere.

python -m benchmarks.peer_ultralytics_server --network peer-640.onnx --port 8000
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks.common import THRESHOLD, TILE_PX, headline
from benchmarks.peer_common import corners
from benchmarks.peer_ultralytics import predictor

if TYPE_CHECKING:
    from collections.abc import Sequence


def make_app(network: Path, side: int, threshold: float) -> Any:  # noqa: ANN401 - FastAPI, which only the peers have
    """The application; its model is warm."""
    from fastapi import FastAPI, UploadFile  # noqa: PLC0415 - of the peers' virtual environment

    predict = predictor(network)
    request = {"tile_px": side, "threshold": threshold}
    predict(np.zeros((side, side, 3), np.uint8), request)  # the first call loads the network
    app = FastAPI()

    def boxes(file) -> dict[str, Any]:  # noqa: ANN001 - annotated below: FastAPI must see the class itself
        tile = cv2.imdecode(np.frombuffer(file.file.read(), np.uint8), cv2.IMREAD_COLOR)
        found = predict(tile, request).obb
        box, score = found.xywhr.numpy().astype(np.float64), found.conf.numpy()
        return {"corners": corners(box).round(3).tolist(), "score": score.round(6).tolist()}

    boxes.__annotations__["file"] = UploadFile
    app.post("/predict")(boxes)
    app.get("/health")(lambda: {"ready": True})
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer_ultralytics_server", description=headline(__doc__))
    parser.add_argument("--network", type=Path, required=True, help="ONNX file written by benchmarks.peer_model")
    parser.add_argument("--port", type=int, required=True, help="to listen on, on loopback")
    parser.add_argument("--side", type=int, default=TILE_PX, help="px of the tiles (%(default)s)")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="score that counts (%(default)s)")
    args = parser.parse_args(argv)
    import uvicorn  # noqa: PLC0415 - of the peers' virtual environment

    uvicorn.run(make_app(args.network, args.side, args.threshold), host="127.0.0.1", port=args.port, access_log=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The plain loop that people write: OpenCV, numpy and an onnxruntime session with its defaults.

python -m benchmarks.peer_loop --network peer-640.onnx
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.peer_common import cut, joined, read_bgr, serve_peer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.protocol import Found, Request, Runner

COLUMNS = [0, 1, 2, 3, 5]
"""Of a network's answer (anchors, 6): centre, sides, angle; the score stands between."""


def load(network: Path) -> Runner:
    """Load the network."""
    import onnxruntime as ort  # noqa: PLC0415 - the peers bring their own

    session = ort.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(request: Request) -> Found:
        boxes, scores = [], []
        for x, y, tile in cut(read_bgr(request), request):
            pixels = tile[..., ::-1].transpose(2, 0, 1)[None].astype(np.float32) / 255
            rows = session.run(None, {name: np.ascontiguousarray(pixels)})[0][0].T
            rows = rows[rows[:, 4] >= request["threshold"]]
            rows[:, :2] += (x, y)
            boxes.append(rows[:, COLUMNS])
            scores.append(rows[:, 4])
        return joined(boxes, scores, request, len(boxes))

    return run


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to quit."""
    return serve_peer("peer_loop", __doc__, load, argv)


if __name__ == "__main__":
    raise SystemExit(main())

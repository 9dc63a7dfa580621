"""LitServe: the same network in onnxruntime behind a batched LitAPI, as its documentation has it.

    python -m benchmarks.peer_litserve --network peer-640.onnx --port 8000

A tile in as the file of a form, its boxes out. Workers, batches and threads are what a user would find out by trying:
see benchmarks.serving, which tries some.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks.common import THRESHOLD, headline
from benchmarks.peer_common import joined
from benchmarks.peer_loop import COLUMNS

try:  # only in the peers' virtual environment; --help works without
    import litserve as ls
except ImportError:
    ls = None

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FIELD = "file"
WORKERS, THREADS, BATCH, WAIT_S = 2, 1, 4, 0.005
QUEUE_S = 120
"""LitServe answers 504 for what has waited longer; its own 30 s would be a limit that the others do not have."""
_API: Any = ls.LitAPI if ls else object


class Boxes(_API):
    """Tiles in, boxes out."""

    def __init__(self, network: Path, threads: int, threshold: float, **batching: Any) -> None:  # noqa: ANN401 - LitAPI's own
        """Keep what each worker needs."""
        super().__init__(**batching)
        self._network, self._threads, self._threshold = network, threads, threshold

    def setup(self, device: str) -> None:
        """Open the network in a worker."""
        import onnxruntime as ort  # noqa: PLC0415 - the peers bring their own

        _ = device
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        self._session = ort.InferenceSession(str(self._network), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def decode_request(self, request):  # noqa: ANN001, ANN201 - LitServe takes annotations for models of the body
        """An encoded picture -> px (3, h, w), 0 to 1, RGB."""
        raw = np.frombuffer(request[FIELD].file.read(), np.uint8)
        tile = cv2.imdecode(raw, cv2.IMREAD_COLOR)
        return np.ascontiguousarray(tile[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255)

    def batch(self, inputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Pictures of one size as one array."""
        return np.stack(inputs)

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 3, h, w) or, without batches, (3, h, w) -> rows (n, anchors, 6), or (anchors, 6)."""
        rows = self._session.run(None, {self._input: x if x.ndim == 4 else x[None]})[0].transpose(0, 2, 1)  # noqa: PLR2004
        return rows if x.ndim == 4 else rows[0]  # noqa: PLR2004 - with its batch

    def unbatch(self, output: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Rows of each picture."""
        return list(output)

    def encode_response(self, output):  # noqa: ANN001, ANN201 - as above
        """Rows -> the boxes that count."""
        rows = output[output[:, 4] >= self._threshold]
        found = joined([rows[:, COLUMNS]], [rows[:, 4]], {"threshold": self._threshold}, 1)
        return {"corners": found.corners.round(3).tolist(), "score": found.score.round(6).tolist()}


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer_litserve", description=headline(__doc__))
    parser.add_argument("--network", type=Path, required=True, help="ONNX file written by benchmarks.peer_model")
    parser.add_argument("--port", type=int, required=True, help="to listen on, on loopback")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes with a network (%(default)s)")
    parser.add_argument("--threads", type=int, default=THREADS, help="of each network (%(default)s)")
    parser.add_argument("--batch", type=int, default=BATCH, help="most tiles at once (%(default)s)")
    parser.add_argument("--wait", type=float, default=WAIT_S, help="seconds to wait for a batch (%(default)s)")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="score that counts (%(default)s)")
    args = parser.parse_args(argv)
    batching = {"max_batch_size": args.batch, "batch_timeout": args.wait} if args.batch > 1 else {}
    api = Boxes(args.network, args.threads, args.threshold, **batching)
    server = ls.LitServer(api, accelerator="cpu", workers_per_device=args.workers, timeout=QUEUE_S)
    server.run(host="127.0.0.1", port=args.port, log_level="warning", generate_client_file=False, access_log=False)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

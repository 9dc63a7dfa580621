"""What the peers' children share: their options, tiles for those that cut none, and suppression across seams.

Runs in the peers' virtual environment: numpy and OpenCV, nothing of `edge`.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from benchmarks.common import LIBRARIES, headline, versions
from benchmarks.protocol import Found, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from benchmarks.protocol import Request, Runner

PEERS = ("sahi", "supervision", "ultralytics", "torch", "torchvision")
SEAM_IOU = 0.5


def serve_peer(name: str, doc: str | None, load: Callable[[Path], Runner], argv: Sequence[str] | None) -> int:
    """Read the options that all peers have, load, serve until told to quit."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=headline(doc))
    parser.add_argument("--network", type=Path, required=True, help="ONNX file written by benchmarks.peer_model")
    args = parser.parse_args(argv)

    def start() -> tuple[Runner, dict[str, Any]]:
        return load(args.network), {"versions": versions((*LIBRARIES, *PEERS))}

    return serve(start)


def starts(extent: int, tile: int, overlap: int) -> list[int]:
    """First px of each tile along one axis; the last is shifted back so that all are whole."""
    if extent <= tile:
        return [0]
    return sorted({min(at, extent - tile) for at in range(0, extent - overlap, tile - overlap)})


def cut(picture: NDArray[np.uint8], request: Request) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    """Left, top and px of each tile of a picture (h, w, 3), row by row."""
    tile, overlap = request["tile_px"], request["overlap_px"]
    height, width = picture.shape[:2]
    for y, x in itertools.product(starts(height, tile, overlap), starts(width, tile, overlap)):
        yield x, y, picture[y : y + tile, x : x + tile]


def read_bgr(request: Request) -> NDArray[np.uint8]:
    """The scene as OpenCV reads it, (h, w, 3) BGR.

    Raises:
        ValueError: it does not.
    """
    picture = cv2.imread(request["scene"], cv2.IMREAD_COLOR)
    if picture is None:
        message = f"OpenCV cannot read {request['scene']}"
        raise ValueError(message)
    return np.asarray(picture, np.uint8)


def joined(boxes: Sequence[NDArray[Any]], scores: Sequence[NDArray[Any]], request: Request, tiles: int) -> Found:
    """All tiles' boxes (n, 5) as centre, sides px and radians, once each: OpenCV's suppression of rotated boxes."""
    box = np.concatenate([np.empty((0, 5)), *boxes]).astype(np.float64)
    score = np.concatenate([np.empty(0), *scores]).astype(np.float64)
    kept = np.arange(0)
    if len(box):
        rows = [((x, y), (w, h), np.rad2deg(r)) for x, y, w, h, r in box.tolist()]
        kept = np.asarray(cv2.dnn.NMSBoxesRotated(rows, score.tolist(), request["threshold"], SEAM_IOU)).ravel()
    return Found(corners(box[kept.astype(int)]), score[kept.astype(int)], {"tiles": tiles})


def corners(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes (n, 5) as centre, sides px and radians -> corners (n, 4, 2) px."""
    along = np.stack([np.cos(box[:, 4]), np.sin(box[:, 4])], 1) * box[:, 2:3] / 2
    across = np.stack([-np.sin(box[:, 4]), np.cos(box[:, 4])], 1) * box[:, 3:4] / 2
    centre = box[:, :2]
    return np.stack(
        [centre + along - across, centre + along + across, centre - along + across, centre - along - across], 1
    )

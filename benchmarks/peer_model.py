"""A model folder's finder as the peers want it: the same weights behind ultralytics' input and output.

    python -m benchmarks.peer_model --model models/vessel-n --out build/bench/peer-640.onnx

Ours takes uint8 NHWC and gives a row a box; theirs takes float NCHW, 0 to 1, RGB, and gives a column a box. The nodes
are found by what they do and where they stand, never by name: names change with each export.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.common import ROOT, THRESHOLD, TILE_PX, WORK, finish, headline
from benchmarks.peer_decode import DECODES
from edge.decode import from_distances
from edge.session import open_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CHANGES = {"Transpose", "Cast", "Div", "Mul", "Sub"}
"""Ops before the first layer, that make uint8 NHWC into what it wants."""
SCALES = {"Div", "Mul"}
COLUMNS = 6
"""Centre x, centre y, width, height px, score 0..1, angle."""
SCORE = 4
SAMPLE = ROOT / "samples" / "synthetic-terminal.tif"
VESSELS_AT = (700, 600)
"""Px of the sample scene, x and y: two large vessels lie side by side."""
MOST_PX, MOST_SCORE = 0.05, 1e-4
"""How far the two graphs may differ: rounding of other orders of the same sums."""


def _users(graph: onnx.GraphProto, name: str) -> list[onnx.NodeProto]:
    """Nodes that read a tensor."""
    return [node for node in graph.node if name in node.input]


def _drop_changes(graph: onnx.GraphProto) -> tuple[str, bool]:
    """Take out the nodes that change the pixels; the tensor that the first layer reads, and whether they scaled it."""
    name, scaled = graph.input[0].name, False
    while True:
        users = _users(graph, name)
        if len(users) != 1 or users[0].op_type not in CHANGES:
            return name, scaled
        scaled |= users[0].op_type in SCALES
        name = users[0].output[0]
        graph.node.remove(users[0])


def _give_pixels(graph: onnx.GraphProto, wanted: str, *, scaled: bool, colour: str) -> None:
    """Lead the peers' pixels, RGB 0 to 1, to the tensor that the first layer reads."""
    name, nodes = "images", []
    if not scaled:  # 1/255 is folded into the first layer, which wants 0 to 255
        graph.initializer.append(numpy_helper.from_array(np.float32(255), "peer_byte"))
        nodes.append(helper.make_node("Mul", [name, "peer_byte"], ["peer_bytes"]))
        name = "peer_bytes"
    if colour == "BGR":
        graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0]), "peer_order"))
        nodes.append(helper.make_node("Gather", [name, "peer_order"], ["peer_bgr"], axis=1))
        name = "peer_bgr"
    for user in _users(graph, wanted):
        for i, read in enumerate(user.input):
            if read == wanted:
                user.input[i] = name
    for node in reversed(nodes):
        graph.node.insert(0, node)


def peer_model(model: onnx.ModelProto, card: dict[str, Any], side: int = TILE_PX) -> onnx.ModelProto:
    """The same network with ultralytics' ends, for square tiles of `side` px; changes and gives back `model`.

    Raises:
        KeyError: the card's head is of no known kind.
    """
    graph = model.graph
    wanted, scaled = _drop_changes(graph)
    _give_pixels(graph, wanted, scaled=scaled, colour=card["input"]["colour"])
    last = graph.output[0].name
    for node in graph.node:
        node.output[:] = ["peer_rows" if name == last else name for name in node.output]
        node.input[:] = ["peer_rows" if name == last else name for name in node.input]
    rows = DECODES[card["head"]](graph, "peer_rows", side)
    graph.node.append(helper.make_node("Transpose", [rows], ["output0"], perm=[0, 2, 1]))
    del graph.input[:], graph.output[:]
    shapes = (("images", ["batch", 3, "height", "width"]), ("output0", ["batch", COLUMNS, "anchors"]))
    first, second = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes)
    graph.input.append(first)
    graph.output.append(second)
    del graph.value_info[:]  # the shapes of what was
    _tell(model, side)
    onnx.checker.check_model(model)
    return model


def _tell(model: onnx.ModelProto, side: int) -> None:
    """Metadata by which ultralytics knows what to do with the file; what is there already stays, but the size."""
    told = {"task": "obb", "stride": "32", "batch": "1", "names": "{0: 'vessel'}", "channels": "3"}
    told |= {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(model, {**told, "imgsz": str([side, side])})


def parity(folder: Path, peer: Path, tile: NDArray[np.uint8], floor: float = THRESHOLD) -> dict[str, float]:
    """Largest differences between a model folder's graph and the peers' on a tile (h, w, 3) RGB, where boxes count.

    Raises:
        ValueError: they differ by more than rounding, or there is nothing to compare.
    """
    pixels = tile.transpose(2, 0, 1)[None].astype(np.float32) / 255
    theirs = open_session(peer, "cpu").run(np.ascontiguousarray(pixels))[0].T
    ours = _rows(folder, tile)
    counted = ours[:, SCORE] >= floor
    score = float(np.abs(ours[:, SCORE] - theirs[:, SCORE]).max())
    box = float(np.abs(ours[counted] - theirs[counted])[:, :SCORE].max(initial=0.0))
    if not counted.any() or box > MOST_PX or score > MOST_SCORE:
        message = f"{int(counted.sum())} boxes; the graphs differ by {box:.3g} px and {score:.3g} in score"
        raise ValueError(message)
    return {"boxes": int(counted.sum()), "box_px": box, "score": score}


def _rows(folder: Path, tile: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
    """A model folder's answer for a tile as decoded rows (anchors, COLUMNS)."""
    rows = open_session(folder / "model.onnx", "cpu").run(np.ascontiguousarray(tile[None]))[0]
    return from_distances(rows, 0.0, tile.shape[:2]) if _card(folder)["head"] == "distances" else rows


def _card(folder: Path) -> dict[str, Any]:
    """A model folder's card, unchecked: the peers' environment has no need of more."""
    return dict(json.loads((folder / "card.json").read_text(encoding="utf-8")))


def sample_tile(side: int = TILE_PX) -> NDArray[np.uint8]:
    """A part of the sample scene with vessels in it, (side, side, 3) RGB."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # OpenCV warns of each tag of a GeoTIFF
    picture = np.asarray(cv2.imread(str(SAMPLE), cv2.IMREAD_COLOR), np.uint8)
    left, top = (max(0, middle - side // 2) for middle in VESSELS_AT)
    return np.ascontiguousarray(picture[top : top + side, left : left + side, ::-1])


def write_peer(folder: Path, out: Path, side: int = TILE_PX) -> dict[str, float]:
    """Write a model folder's network for the peers, and check that it says the same."""
    model = peer_model(onnx.load(str(folder / "model.onnx")), _card(folder), side)
    out.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(out))
    return parity(folder, out, sample_tile(side))


def main(argv: Sequence[str] | None = None) -> int:
    """Write, check, print a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer_model", description=headline(__doc__))
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "vessel-n", help="model folder (%(default)s)")
    parser.add_argument("--out", type=Path, default=WORK / f"peer-{TILE_PX}.onnx", help="ONNX file (%(default)s)")
    parser.add_argument("--side", type=int, default=TILE_PX, help="px of the peers' tiles (%(default)s)")
    args = parser.parse_args(argv)
    return finish("peer_model", {"out": str(args.out), **write_peer(args.model, args.out, args.side)})


if __name__ == "__main__":
    raise SystemExit(main())

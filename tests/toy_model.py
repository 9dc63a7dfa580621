"""Small ONNX networks with known answers, built with onnx.helper, and whole model folders made of them.

`python -m tests.toy_model` writes the doctor's toy network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.model_card import file_sha256
from training.cards import save_card, write_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPSET = 17
CELL = 8
"""Side of a cell of the finder, px."""
TILE = 128
KIND = {
    "chip_px": [48, 16], "length_share": 0.75, "tanker_above": 0.6, "other_below": 0.4, "min_length_px": 12.0,
    "slope": 1.0, "offset": 0.0,
}  # fmt: skip


def _save(graph: onnx.GraphProto, path: Path) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def doubler(path: Path) -> Path:
    """(n, 2) float -> twice that."""
    two = numpy_helper.from_array(np.array(2.0, np.float32), "two")
    node = helper.make_node("Mul", ["x", "two"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "y")]
    return _save(helper.make_graph([node], "doubler", ends[:1], ends[1:], [two]), path)


def finder(path: Path, cell: int = CELL) -> Path:
    """Pictures (n, h, w, 3) uint8 -> rows (n, anchors, 6): each cell x cell block is a box whose score is its red.

    The box is centred on the block, 3 blocks long, 1 wide, and lies along x; score = mean red / 255.
    """
    pool = [
        helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["nchw"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["nchw"], ["mean"], kernel_shape=[cell, cell], strides=[cell, cell]),
        helper.make_node("Gather", ["mean", "red"], ["redmean"], axis=1),
        helper.make_node("Div", ["redmean", "byte"], ["score4"]),
        helper.make_node("Shape", ["score4"], ["shape"]),
        helper.make_node("Gather", ["shape", "i2"], ["rows"], axis=0),
        helper.make_node("Gather", ["shape", "i3"], ["columns"], axis=0),
        helper.make_node("Range", ["zero", "rows", "one"], ["ry"]),
        helper.make_node("Range", ["zero", "columns", "one"], ["rx"]),
        helper.make_node("Cast", ["ry"], ["fy"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["rx"], ["fx"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["fy", "half"], ["gy"]),
        helper.make_node("Add", ["fx", "half"], ["gx"]),
        helper.make_node("Mul", ["gy", "cell"], ["cy"]),
        helper.make_node("Mul", ["gx", "cell"], ["cx"]),
        helper.make_node("Reshape", ["cy", "column"], ["cy4"]),
        helper.make_node("Reshape", ["cx", "line"], ["cx4"]),
        helper.make_node("Mul", ["score4", "nil"], ["none"]),
        helper.make_node("Add", ["none", "cx4"], ["x4"]),
        helper.make_node("Add", ["none", "cy4"], ["y4"]),
        helper.make_node("Add", ["none", "length"], ["w4"]),
        helper.make_node("Add", ["none", "cell"], ["h4"]),
        helper.make_node("Concat", ["x4", "y4", "w4", "h4", "score4", "none"], ["stack"], axis=1),
        helper.make_node("Reshape", ["stack", "flat"], ["stack3"]),
        helper.make_node("Transpose", ["stack3"], ["output0"], perm=[0, 2, 1]),
    ]
    constants = {
        "red": np.array([0]), "byte": np.float32(255), "i2": np.array(2), "i3": np.array(3), "zero": np.array(0),
        "one": np.array(1), "half": np.float32(0.5), "cell": np.float32(cell), "nil": np.float32(0),
        "length": np.float32(3 * cell), "column": np.array([1, 1, -1, 1]), "line": np.array([1, 1, 1, -1]),
        "flat": np.array([0, 6, -1]),
    }  # fmt: skip
    first = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])
    last = helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", "anchors", 6])
    known = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    return _save(helper.make_graph(pool, "finder", [first], [last], known), path)


def teller(path: Path) -> Path:
    """Crops (n, h, w, 3) uint8 -> log-odds (n, 2): that of mean red / 255 and that of mean green / 255, up to +- 7."""
    nodes = [
        helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["f"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Gather", ["mean", "redgreen"], ["both"], axis=1),
        helper.make_node("Div", ["both", "byte"], ["share"]),
        helper.make_node("Clip", ["share", "least", "most"], ["p"]),
        helper.make_node("Sub", ["one", "p"], ["q"]),
        helper.make_node("Div", ["p", "q"], ["odds"]),
        helper.make_node("Log", ["odds"], ["output0"]),
    ]
    constants = {
        "redgreen": np.array([0, 1]), "byte": np.float32(255), "one": np.float32(1), "least": np.float32(0.001),
        "most": np.float32(0.999),
    }  # fmt: skip
    known = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    first = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", "h", "w", 3])
    last = helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", 2])
    return _save(helper.make_graph(nodes, "teller", [first], [last], known), path)


def model_folder(folder: Path, *, kinds: bool = False, **changes: Any) -> Path:  # noqa: ANN401 - fields of a card
    """A whole model folder, its card written by training.cards; `section__field=value` changes a field of the card."""
    finder(folder / "model.onnx")
    told = folder.with_name(folder.name + "-kinds")
    if kinds:
        teller(told / "kind.onnx")
        (told / "kinds.json").write_text(json.dumps({"card": KIND}))
    write_folder(
        folder, name=folder.name, version="1", head="raw", run={}, parity={}, kinds=told if kinds else None,
        threshold=0.5, notes=[],
    )  # fmt: skip
    side = changes.get("input__tile_px", TILE)
    fields = {"input__tile_px": side, "input__tile_most_px": side, "range__length_px": [8.0, 32.0], **changes}
    card = json.loads((folder / "card.json").read_text())
    for name, value in fields.items():
        section, _, field = name.partition("__")
        if field:
            card[section][field] = value
        else:
            card[section] = value
    save_card(folder, card)
    return folder


def bless(folder: Path, name: str = "model.onnx") -> None:
    """Put the present hash of a file into the card, as one would who swaps files on purpose."""
    card = json.loads((folder / "card.json").read_text())
    card["files"][name] = file_sha256(folder / name)
    (folder / "card.json").write_text(json.dumps(card))


def picture(width: int, height: int, vessels: dict[tuple[int, int], int], green: int = 0) -> NDArray[np.uint8]:
    """A black picture (h, w, 3) with red cells: (column, row) of the cell -> red, the finder's score times 255."""
    out = np.zeros((height, width, 3), np.uint8)
    for (column, row), red in vessels.items():
        place = np.s_[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        out[place] = (red, green, 0)
    return out


def scene_file(path: Path) -> Path:
    """A picture with two vessels that count and one that does not."""
    cv2.imwrite(str(path), picture(160, 96, {(4, 3): 255, (12, 8): 204, (15, 3): 100})[..., ::-1])
    return path


if __name__ == "__main__":
    doubler(Path(__file__).parent.parent / "edge" / "commands" / "toy.onnx")

"""Small ONNX networks with known answers, built with onnx.helper.

`python -m tests.toy_model` writes the doctor's toy network.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


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


def finder(path: Path, cell: int = 8) -> Path:
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


if __name__ == "__main__":
    doubler(Path(__file__).parent.parent / "edge" / "commands" / "toy.onnx")

"""What has to be appended to a network's graph, by the head that its card names, to get decoded rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import helper, numpy_helper

from edge.decode import STRIDES

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx
    from numpy.typing import NDArray


def _decoded(graph: onnx.GraphProto, name: str, side: int) -> str:
    """Append nothing: the rows are decoded already."""
    _ = graph, side
    return name


def _from_distances(graph: onnx.GraphProto, name: str, side: int) -> str:
    """Append the decode of rows left, top, right, bottom (in strides from the anchor), score's logit, angle.

    The same arithmetic as edge.decode.from_distances, for the anchors of one network. `side` px fixes the anchors, as
    the peers' tiles are all of one size.
    """
    anchor, stride = anchors(side)
    known = {
        "peer_anchor": anchor[None], "peer_stride": stride[None, :, None], "peer_half": np.float32(0.5),
        "peer_parts": np.array([2, 2, 1, 1]),
    }  # fmt: skip
    graph.initializer.extend(numpy_helper.from_array(np.asarray(v), k) for k, v in known.items())

    def add(op: str, reads: list[str], gives: str, **attributes: Any) -> None:  # noqa: ANN401 - ONNX has them of all types
        graph.node.append(helper.make_node(op, reads, gives.split(), **attributes))

    add("Split", [name, "peer_parts"], "peer_lt peer_rb peer_logit peer_angle", axis=2)
    add("Add", ["peer_lt", "peer_rb"], "peer_size")
    add("Sub", ["peer_rb", "peer_lt"], "peer_twice")
    add("Mul", ["peer_twice", "peer_half"], "peer_off")
    add("Split", ["peer_off"], "peer_x peer_y", axis=2)
    add("Cos", ["peer_angle"], "peer_cos")
    add("Sin", ["peer_angle"], "peer_sin")
    for one, two, product in (("x", "cos", "xc"), ("y", "sin", "ys"), ("x", "sin", "xs"), ("y", "cos", "yc")):
        add("Mul", [f"peer_{one}", f"peer_{two}"], f"peer_{product}")
    add("Sub", ["peer_xc", "peer_ys"], "peer_dx")
    add("Add", ["peer_xs", "peer_yc"], "peer_dy")
    add("Concat", ["peer_dx", "peer_dy"], "peer_moved", axis=2)
    add("Add", ["peer_moved", "peer_anchor"], "peer_centre")
    add("Concat", ["peer_centre", "peer_size"], "peer_cells", axis=2)
    add("Mul", ["peer_cells", "peer_stride"], "peer_px")
    add("Sigmoid", ["peer_logit"], "peer_score")
    add("Concat", ["peer_px", "peer_score", "peer_angle"], "peer_decoded", axis=2)
    return "peer_decoded"


def anchors(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres (n, 2) of a square's cells, in strides, and strides (n,) px: finest first, row by row."""
    points, steps = [], []
    for stride in STRIDES:
        line = np.arange(side // stride, dtype=np.float32) + np.float32(0.5)
        y, x = np.meshgrid(line, line, indexing="ij")
        points.append(np.stack([x, y], -1).reshape(-1, 2))
        steps.append(np.full(line.size**2, stride, np.float32))
    return np.concatenate(points), np.concatenate(steps)


DECODES: dict[str, Callable[[onnx.GraphProto, str, int], str]] = {
    "raw": _decoded,
    "end2end": _decoded,
    "distances": _from_distances,
}
"""The card's `head` -> what has to be appended to its graph."""

"""YOLO-OBB label files, as ultralytics reads them: `class x1 y1 x2 y2 x3 y3 x4 y4`, a line a vessel, no scores.

Classes: 0 tanker, 1 other, 2 unknown. Coordinates are shares of the width and height. Readers refuse what is not in
0 .. 1, so a corner beyond the edge of the image is moved to the edge, as labelled sets have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.detections import Kind
from edge.write.atomic import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from edge.scene import Scene

_DIGITS = 7
"""Decimals: below 0.01 px up to scenes of 100,000 px a side."""


def labels(document: dict[str, Any]) -> str:
    """The lines; no vessel gives an empty text, which marks a picture of background."""
    size = np.array([document["width"], document["height"]], np.float64)
    lines = []
    for row in document["detections"]:
        shares = np.clip(np.array(row["corners"], np.float64) / size, 0.0, 1.0).reshape(-1)
        numbers = " ".join(f"{share:.{_DIGITS}f}" for share in shares)
        lines.append(f"{int(Kind[row['kind'].upper()])} {numbers}\n")
    return "".join(lines)


def write(document: dict[str, Any], path: Path, *, scene: Scene | None = None) -> None:  # noqa: ARG001 - as all writers
    """Write the labels to a file; readers look for it under the name of the image, with .txt.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, labels(document))

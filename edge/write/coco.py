"""COCO: a data set of one image, in px. Reads with pycocotools as it is; `annotations` serve `COCO.loadRes` too.

COCO knows no oriented boxes: `segmentation` is the oriented box, `bbox` its envelope. Both are cut at the edges of the
image, because common tools refuse what lies beyond; `area` is that of the cut polygon.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.detections import Kind
from edge.geometry import Window, clip_polygon
from edge.write.atomic import write_text
from edge.write.document_json import plain, summary
from edge.write.ring import signed_area

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.scene import Scene

_IMAGE_ID = 1
_DIGITS = 2
_TRIANGLE = 3


def category_id(kind: Kind) -> int:
    """COCO numbers categories from 1."""
    return int(kind) + 1


def categories() -> list[dict[str, Any]]:
    """All kinds."""
    return [{"id": category_id(k), "name": k.label, "supercategory": "vessel"} for k in Kind]


def data_set(document: dict[str, Any]) -> dict[str, Any]:
    """Images, annotations and categories, with all that is said of the scene under "info"."""
    image = {"id": _IMAGE_ID, "file_name": document["scene"], "width": document["width"], "height": document["height"]}
    frame = Window(0, 0, document["width"], document["height"])
    return {
        "info": {"description": "vessels found by tanker-edge"} | summary(document),
        "images": [plain(image)],
        "categories": categories(),
        "annotations": [annotation(row, frame) for row in document["detections"]],
    }


def write(document: dict[str, Any], path: Path, *, scene: Scene | None = None) -> None:  # noqa: ARG001 - as all writers
    """Write the data set to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, json.dumps(data_set(document), allow_nan=False, ensure_ascii=False) + "\n")


def annotation(row: dict[str, Any], frame: Window, image_id: int = _IMAGE_ID) -> dict[str, Any]:
    """One vessel of an image of this size; its id is that within the scene."""
    outline = [[round(x, _DIGITS), round(y, _DIGITS)] for x, y in _inside(row["corners"], frame)]
    xs, ys = zip(*outline, strict=True)
    left, top = min(xs), min(ys)
    return {
        "id": row["id"],
        "image_id": image_id,
        "category_id": category_id(Kind[row["kind"].upper()]),
        "bbox": [left, top, round(max(xs) - left, _DIGITS), round(max(ys) - top, _DIGITS)],
        "segmentation": [[value for point in outline for value in point]],
        "area": round(abs(signed_area(outline)), _DIGITS),
        "iscrowd": 0,
        "score": plain(row["score"]),
    }


def _inside(corners: Sequence[Sequence[float]], frame: Window) -> Sequence[Sequence[float]]:
    """The part (m, 2) of a box (4, 2) inside the image; flat on its edge where nothing of it is inside."""
    if all(0 <= x <= frame.width and 0 <= y <= frame.height for x, y in corners):
        return corners
    points = np.array(corners, np.float64)
    part = clip_polygon(points, frame)
    inside: list[list[float]] = (
        part if len(part) >= _TRIANGLE else np.clip(points, 0, [frame.width, frame.height])
    ).tolist()
    return inside

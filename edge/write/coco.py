"""COCO: a data set of one image, in px. Reads with pycocotools as it is; `annotations` serve `COCO.loadRes` too.

COCO knows no oriented boxes: `segmentation` is the oriented box, `bbox` its envelope. Both are cut at the edges of the
image, because common tools refuse what lies beyond; `area` is that of the cut polygon.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.detections import Kind
from edge.geometry import Window, clip_polygon, polygon_area
from edge.write.atomic import write_text
from edge.write.document_json import plain, summary

if TYPE_CHECKING:
    from pathlib import Path

    from edge.geometry import Floats
    from edge.scene import Scene

_IMAGE_ID = 1
_DIGITS = 2
_TRIANGLE = 3


def category_id(kind: Kind) -> int:
    """COCO numbers categories from 1."""
    return int(kind) + 1


def data_set(document: dict[str, Any]) -> dict[str, Any]:
    """Images, annotations and categories, with all that is said of the scene under "info"."""
    image = {"id": _IMAGE_ID, "file_name": document["scene"], "width": document["width"], "height": document["height"]}
    frame = Window(0, 0, document["width"], document["height"])
    categories = [{"id": category_id(k), "name": k.label, "supercategory": "vessel"} for k in Kind]
    return {
        "info": {"description": "vessels found by tanker-edge"} | summary(document),
        "images": [plain(image)],
        "categories": categories,
        "annotations": [_annotation(row, frame) for row in document["detections"]],
    }


def write(document: dict[str, Any], path: Path, *, scene: Scene | None = None) -> None:  # noqa: ARG001 - as all writers
    """Write the data set to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, json.dumps(data_set(document), allow_nan=False, ensure_ascii=False) + "\n")


def _annotation(row: dict[str, Any], frame: Window) -> dict[str, Any]:
    outline = np.round(_inside(np.array(row["corners"], np.float64), frame), _DIGITS)
    left, top, right, bottom = (round(float(v), _DIGITS) for v in (*outline.min(0), *outline.max(0)))
    return {
        "id": row["id"],
        "image_id": _IMAGE_ID,
        "category_id": category_id(Kind[row["kind"].upper()]),
        "bbox": [left, top, round(right - left, _DIGITS), round(bottom - top, _DIGITS)],
        "segmentation": [outline.reshape(-1).tolist()],
        "area": round(polygon_area(outline), _DIGITS),
        "iscrowd": 0,
        "score": plain(row["score"]),
    }


def _inside(corners: Floats, frame: Window) -> Floats:
    """The part (m, 2) of a box (4, 2) inside the image; flat on its edge where nothing of it is inside."""
    part = clip_polygon(corners, frame)
    return part if len(part) >= _TRIANGLE else np.clip(corners, 0, [frame.width, frame.height])

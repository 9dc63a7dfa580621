"""What people say of the boxes of a job, and the labels for the next training that this makes.

A review is a document: a verdict on boxes that the model found, and vessels that it missed. `marks.json` in the job's
folder holds it. From each review that is saved come, in the folder `reviews` of the server's state,

- `labels/<job>-<stem>.txt`, YOLO-OBB: boxes that are right, of the kind that the reviewer gave them, and missing ones;
- `images/<job>-<name>`, the scene, only while the review is complete: every box that the model counts, and that was
  shown, has a verdict, and the reviewer says to have searched the picture for vessels that are missing. A picture that
  is labelled by half would teach a network that ships are water.

So `python -m training.dataset --folder <state>/reviews` learns from complete reviews and from nothing else: it goes by
the pictures. They outlive their jobs: an upload gets a second name there (a hard link), a scene that was named by its
path is linked to.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.scene_header import kind_of
from edge.server.job_files import CANDIDATES, DOCUMENT
from edge.server.marks import Marks, Review, check, judge
from edge.server.problems import HttpError
from edge.write import yolo
from edge.write.atomic import make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.geometry import Floats
    from edge.server.job_record import Job

MARKS = "marks.json"
_SUFFIXES = {"TIFF": ".tif", "JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "BMP": ".bmp"}
"""Of the formats that the training reads; it goes by the names of files."""
_SAME = {".jpeg": ".jpg", ".tiff": ".tif"}
_saving = threading.Lock()


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The job whose boxes are reviewed."""

    job: str
    """Id."""
    folder: Path
    """The job's."""
    scene: Path | None
    """Its file; None where that has gone: then there are labels, and no picture."""
    name: str
    """What the scene is called."""
    kept: bool
    """The scene lies in the job's folder and goes with it."""
    size: tuple[int, int]
    """Width and height of the scene, px."""
    candidates: Mapping[str, Any]
    """As `edge.server.scoring.candidates` made them."""


def reviewed(job: Job, folder: Path, scene: Path | None) -> Reviewed:
    """What a review of a job needs.

    Args:
        job: it has been counted.
        folder: the job's.
        scene: its file; None where that has gone.
    """
    counted = json.loads((folder / DOCUMENT).read_text("utf-8"))
    found = json.loads((folder / CANDIDATES).read_text("utf-8"))
    size = (counted["width"], counted["height"])
    return Reviewed(job.id, folder, scene, job.scene, job.source != "path", size, found)


def corners(folder: Path) -> Floats:
    """Boxes (n, 4, 2) of all candidates of a job, px of its scene, in the order of their ids, from 1 on."""
    return _corners(folder / CANDIDATES)


@lru_cache(maxsize=16)
def _corners(path: Path) -> Floats:
    """Kept, for crops are asked for one by one; ids of jobs are never used again."""
    rows = json.loads(path.read_text("utf-8"))["detections"]
    return np.array([row["corners"] for row in rows], np.float64).reshape(-1, 4, 2)


def load(reviewed: Reviewed) -> tuple[str, str]:
    """The review of a job as JSON, an empty one where there is none; and its entity tag."""
    try:
        text = (reviewed.folder / MARKS).read_text("utf-8")
    except FileNotFoundError:
        text = _told(judge(Marks(), reviewed.candidates))
    return text, _tag(text)


def save(reviewed: Reviewed, marks: Marks, match: str | None, reviews: Path) -> tuple[str, str]:
    """Keep a review and make labels of it.

    Args:
        reviewed: the job.
        marks: all of them, the earlier ones too.
        match: entity tags of the review that the client changed (If-Match); None to replace any.
        reviews: folder of `images` and `labels`.

    Returns:
        The review as JSON, and its entity tag.

    Raises:
        HttpError: 412, somebody else has changed it meanwhile; 422, the marks do not fit the job.
        OutputError: it cannot be written.
    """
    check(marks, reviewed.candidates)
    with _saving:
        tag = load(reviewed)[1]
        if match is not None and match.strip() != "*" and tag not in [one.strip() for one in match.split(",")]:
            raise HttpError(
                412, "the marks of this job have been changed meanwhile", "get them anew, then change those"
            )
        review = judge(marks, reviewed.candidates)
        text = _told(review)
        name = image_name(reviewed)
        make_folder(reviews / "labels")
        make_folder(reviews / "images")
        write_text(reviews / "labels" / f"{Path(name).stem}.txt", labels(review, reviewed))
        write_text(reviewed.folder / MARKS, text)
        _put_image(reviews / "images" / name, reviewed, wanted=review.complete)
    return text, _tag(text)


def labels_of(reviewed: Reviewed) -> str:
    """Labels of the review that is kept; see `labels`."""
    return labels(Review.model_validate_json(load(reviewed)[0]), reviewed)


def labels(review: Review, reviewed: Reviewed) -> str:
    """YOLO-OBB lines of what is right and what is missing; see `edge.write.yolo`."""
    rows = {row["id"]: row for row in reviewed.candidates["detections"]}
    right = [
        {"kind": mark.kind or rows[mark.id]["kind"], "corners": rows[mark.id]["corners"]}
        for mark in sorted(review.marks, key=lambda mark: mark.id)
        if mark.verdict == "right"
    ]
    missing = [{"kind": each.kind, "corners": each.corners} for each in review.missing]
    width, height = reviewed.size
    return yolo.labels({"width": width, "height": height, "detections": [*right, *missing]})


def image_name(reviewed: Reviewed) -> str:
    """What the scene is called in the training set: by a suffix that its readers know."""
    name, suffix, wanted = PurePath(reviewed.name).stem, PurePath(reviewed.name).suffix, None
    if reviewed.scene:
        with reviewed.scene.open("rb") as file:
            wanted = _SUFFIXES.get(kind_of(file.read(32)) or "")
    if wanted and _SAME.get(suffix.lower(), suffix.lower()) != wanted:
        suffix = wanted
    return f"{reviewed.job}-{name}{suffix}"


def _put_image(path: Path, reviewed: Reviewed, *, wanted: bool) -> None:
    """Have the scene in the training set, or not."""
    if not wanted or not reviewed.scene:
        path.unlink(missing_ok=True)
        return
    if path.exists():
        return
    path.unlink(missing_ok=True)  # a link to what was not there, and is again
    if not reviewed.kept:
        path.symlink_to(reviewed.scene.resolve())
        return
    try:
        os.link(reviewed.scene, path)
    except OSError:  # a file system without hard links, as on memory cards
        shutil.copyfile(reviewed.scene, path)


def _told(review: Review) -> str:
    return json.dumps(review.model_dump(), separators=(",", ":"))


def _tag(text: str) -> str:
    """Entity tag of a review."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'

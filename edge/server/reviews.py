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
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.scene_header import kind_of
from edge.server.problems import HttpError
from edge.write import yolo
from edge.write.atomic import make_folder, write_text

if TYPE_CHECKING:
    from collections.abc import Mapping

MARKS = "marks.json"
MOST_MARKS, MOST_MISSING = 200_000, 20_000
_SUFFIXES = {"TIFF": ".tif", "JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "BMP": ".bmp"}
"""Of the formats that the training reads; it goes by the names of files."""
_SAME = {".jpeg": ".jpg", ".tiff": ".tif"}
_saving = threading.Lock()

KindName = Literal["tanker", "other", "unknown"]
Coordinate = Annotated[float, Field(ge=-1e7, le=1e7, allow_inf_nan=False)]
Point = Annotated[list[Coordinate], Field(min_length=2, max_length=2)]


class Mark(BaseModel):
    """A verdict on one box."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[int, Field(ge=1)]
    """Of a row of the job's candidates."""
    verdict: Literal["right", "wrong"]
    kind: KindName | None = None
    """What the vessel is; None for what the model says."""


class Missing(BaseModel):
    """A vessel without a box."""

    model_config = ConfigDict(extra="forbid")

    corners: Annotated[list[Point], Field(min_length=4, max_length=4)]
    """Px of the scene, clockwise from the bow-left."""
    kind: KindName = "unknown"


class Marks(BaseModel):
    """A review, as a client sends it."""

    model_config = ConfigDict(extra="forbid")

    marks: Annotated[list[Mark], Field(max_length=MOST_MARKS)] = []
    missing: Annotated[list[Missing], Field(max_length=MOST_MISSING)] = []
    threshold: Annotated[float | None, Field(ge=0, le=1)] = None
    """From which score boxes were shown; None for the one of the count."""
    searched: bool = False
    """The reviewer has looked through the whole picture for vessels that are missing."""


class Review(Marks):
    """A review, as the server keeps it."""

    expected: int
    """Boxes that need a verdict: those that the model counts, and those that were shown."""
    checked: int
    """Of these, those that have one."""
    complete: bool
    """All have one, and the picture was searched: it goes into the training set."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The job whose boxes are reviewed."""

    job: str
    """Id."""
    folder: Path
    """The job's."""
    scene: Path
    kept: bool
    """The scene lies in the job's folder and goes with it."""
    size: tuple[int, int]
    """Width and height of the scene, px."""
    candidates: Mapping[str, Any]
    """As `edge.server.scoring.candidates` made them."""


def load(reviewed: Reviewed) -> tuple[Review, str]:
    """The review of a job, an empty one where there is none; and its entity tag."""
    try:
        text = (reviewed.folder / MARKS).read_text("utf-8")
    except FileNotFoundError:
        text = _told(judge(Marks(), reviewed.candidates))
    return Review.model_validate_json(text), _tag(text)


def save(reviewed: Reviewed, marks: Marks, match: str | None, reviews: Path) -> tuple[Review, str]:
    """Keep a review and make labels of it.

    Args:
        reviewed: the job.
        marks: all of them, the earlier ones too.
        match: entity tags of the review that the client changed (If-Match); None to replace any.
        reviews: folder of `images` and `labels`.

    Returns:
        The review, and its entity tag.

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
    return review, _tag(text)


def check(marks: Marks, candidates: Mapping[str, Any]) -> None:
    """See that marks fit the boxes of their job.

    Raises:
        HttpError: 422.
    """
    known = {row["id"] for row in candidates["detections"]}
    ids = [mark.id for mark in marks.marks]
    strange = next((i for i in ids if i not in known), None)
    if strange is not None:
        raise HttpError(422, f"there is no box {strange}", "see the candidates of the job", subject="marks")
    if len(set(ids)) < len(ids):
        raise HttpError(422, "a box has two verdicts", "give each at most one", subject="marks")
    if any(not area(missing.corners) for missing in marks.missing):
        raise HttpError(422, "a missing vessel has no area", "give four corners that are apart", subject="missing")


def area(corners: list[list[float]]) -> float:
    """Of a polygon, px²."""
    turned = [*corners[1:], corners[0]]
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, turned, strict=True))) / 2


def judge(marks: Marks, candidates: Mapping[str, Any]) -> Review:
    """The same with what the server says of it."""
    threshold = candidates["threshold"]
    expected = shown(candidates, threshold)
    if marks.threshold is not None and marks.threshold < threshold:
        expected = shown(candidates, marks.threshold)
    checked = len(expected & {mark.id for mark in marks.marks})
    return Review(
        **marks.model_dump(),
        expected=len(expected),
        checked=checked,
        complete=marks.searched and checked == len(expected),
    )


def shown(candidates: Mapping[str, Any], threshold: float) -> set[int]:
    """Ids of the boxes that count at a threshold: as many of the best as `recounts` says, as scores are rounded."""
    counted = [row["counts"]["vessel"] for row in candidates["recounts"] if row["threshold"] <= threshold + 1e-9]
    rows = sorted(candidates["detections"], key=lambda row: -row["score"])
    return {row["id"] for row in rows[: counted[-1] if counted else len(rows)]}


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
    name, suffix = reviewed.scene.stem, reviewed.scene.suffix
    try:
        with reviewed.scene.open("rb") as file:
            wanted = _SUFFIXES.get(kind_of(file.read(32)) or "")
    except OSError:  # it has gone: no picture, but labels
        wanted = None
    if wanted and _SAME.get(suffix.lower(), suffix.lower()) != wanted:
        suffix = wanted
    return f"{reviewed.job}-{name}{suffix}"


def _put_image(path: Path, reviewed: Reviewed, *, wanted: bool) -> None:
    """Have the scene in the training set, or not."""
    if not wanted or not reviewed.scene.is_file():
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

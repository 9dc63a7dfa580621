"""Detections beside labels: rotated IoU and greedy matching. Pure functions, no I/O.

Rules, those of the project's independent scorer: boxes are clipped to the picture; each prediction, best score first,
takes the free counted truth of highest IoU; an unmatched prediction is dropped where nothing can be said (in an ignored
polygon, or on a truth that is unsure or too short).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.geometry import Floats, Window, clip_polygon, polygon_area

if TYPE_CHECKING:
    from numpy.typing import NDArray

COUNT_IOU = 0.3
"""For counting, a loose box is still the vessel."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is really in a picture, px."""

    name: str
    source: str
    width: int
    height: int
    corners: Floats
    """Shape (n, 4, 2)."""
    kinds: NDArray[np.int64]
    """Shape (n,), values of Kind."""
    counted: NDArray[np.bool_]
    """Shape (n,); the others are neither a miss nor an invention."""
    ignored: tuple[Floats, ...] = ()
    gsd_m: float | None = None
    doubtful: NDArray[np.bool_] | None = None
    """Shape (n,): the geometry of the label is doubtful; None where no one says."""

    def without_doubtful(self) -> Truth:
        """The same with boxes of doubtful geometry taken as neither right nor wrong."""
        return self if self.doubtful is None else replace(self, counted=self.counted & ~self.doubtful)


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What was found in a picture, best score first."""

    corners: Floats
    """Shape (n, 4, 2)."""
    score: Floats
    """Shape (n,): belief that a vessel is there, 0 to 1."""
    kinds: NDArray[np.int64]
    """Shape (n,), values of Kind."""
    kind_score: Floats
    """Shape (n,): belief that the vessel is a tanker, 0 to 1; NaN where it is too small to tell."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the document of a scene says of its vessels; both ends of an interval belong to it."""

    vessel: int
    tanker: int
    vessel_interval: tuple[int, int]
    tanker_interval: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A picture's predictions beside its truth."""

    truth: Truth
    predicted: Predicted
    iou: Floats
    """With the counted truths, shape (predictions, counted truths)."""
    dropped: NDArray[np.bool_]
    """Predictions that, unmatched, count for neither side."""
    said: Said | None = None
    """The scene's document, where there is one."""

    @property
    def kinds(self) -> NDArray[np.int64]:
        """Kinds of the counted truths."""
        return self.truth.kinds[self.truth.counted]

    @property
    def lengths(self) -> Floats:
        """Lengths of the counted truths, px."""
        return long_sides(self.truth.corners[self.truth.counted])


def long_sides(corners: Floats) -> Floats:
    """Lengths (n,) px of boxes (n, 4, 2)."""
    quads = corners.reshape(-1, 4, 2)
    return np.asarray(np.linalg.norm(quads - np.roll(quads, -1, 1), axis=2).max(1, initial=0.0))


def _shared(a: Floats, b: Floats) -> float:
    """Intersection of two convex polygons (k, 2), px²."""
    if len(a) < 3 or len(b) < 3:  # noqa: PLR2004 - a polygon has three corners
        return 0.0
    origin = (a.mean(0) + b.mean(0)) / 2
    return float(cv2.intersectConvexConvex((a - origin).astype(np.float32), (b - origin).astype(np.float32))[0])


def judge(
    truth: Truth, corners: Floats, score: Floats, kinds: NDArray[np.int64], kind_score: Floats | None = None
) -> Judged:
    """Compare one picture's predictions (n, 4, 2), (n,), (n,), (n,) with its truth."""
    order = np.argsort(-score, kind="stable")
    told = np.full(len(score), np.nan) if kind_score is None else kind_score
    predicted = Predicted(corners[order], score[order], kinds[order], told[order])
    frame = Window(0, 0, truth.width, truth.height)
    theirs = [clip_polygon(q, frame) for q in predicted.corners]
    ours = [clip_polygon(q, frame) for q in truth.corners]
    counted = np.flatnonzero(truth.counted)
    unsure = np.flatnonzero(~truth.counted)
    iou = np.zeros((len(theirs), len(counted)))
    dropped = np.zeros(len(theirs), bool)
    mask = _mask(truth)
    for i, polygon in enumerate(theirs):
        area = polygon_area(polygon)
        for column, j in enumerate(counted):
            shared = _shared(polygon, ours[j])
            iou[i, column] = shared / (area + polygon_area(ours[j]) - shared) if shared > 0 else 0.0
        dropped[i] = _in_ignored(polygon, mask) or any(
            (s := _shared(polygon, ours[j])) >= 0.5 * area > 0
            or s / max(area + polygon_area(ours[j]) - s, 1e-9) >= COUNT_IOU
            for j in unsure
        )
    return Judged(truth, predicted, iou, dropped)


def _mask(truth: Truth) -> NDArray[np.uint8] | None:
    """1 where the picture is ignored."""
    if not truth.ignored:
        return None
    mask = np.zeros((truth.height, truth.width), np.uint8)
    for polygon in truth.ignored:
        cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 1)
    return mask


def _in_ignored(polygon: Floats, mask: NDArray[np.uint8] | None) -> bool:
    """Whether a box's centre, or half of it, lies where the picture is ignored."""
    if mask is None or len(polygon) < 3:  # noqa: PLR2004
        return False
    x, y = np.round(cv2.convexHull(polygon.astype(np.float32)).reshape(-1, 2).mean(0)).astype(int)
    if 0 <= x < mask.shape[1] and 0 <= y < mask.shape[0] and mask[y, x]:
        return True
    low = np.maximum(np.floor(polygon.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(polygon.max(0)).astype(int) + 1, mask.shape[::-1])
    own = np.zeros((max(0, high[1] - low[1]), max(0, high[0] - low[0])), np.uint8)
    if own.size == 0:
        return False
    cv2.fillPoly(own, [np.round(polygon - low).astype(np.int32)], 1)
    shared = own & mask[low[1] : high[1], low[0] : high[0]]
    return bool(own.sum() and shared.sum() >= 0.5 * own.sum())


def match(judged: Judged, iou: float, threshold: float = 0.0) -> list[int | None]:
    """For each prediction of at least `threshold`: its truth, -1 for an invention, None where nothing can be said."""
    free = np.ones(judged.iou.shape[1], bool)
    answers: list[int | None] = []
    for i in range(int((judged.predicted.score >= threshold).sum())):
        fit = np.where(free & (judged.iou[i] >= iou), judged.iou[i], -1.0)
        best = int(fit.argmax()) if fit.size else -1
        if best >= 0 and fit[best] >= 0:
            free[best] = False
            answers.append(best)
        else:
            answers.append(None if judged.dropped[i] else -1)
    return answers

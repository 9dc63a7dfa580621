"""Scores of detections against labels: rotated IoU, greedy matching, AP, counts. Pure functions, no I/O.

Rules, those of the project's independent scorer: boxes are clipped to the picture; each prediction, best score first,
takes the free counted truth of highest IoU; an unmatched prediction is dropped where nothing can be said (in an ignored
polygon, or on a truth that is unsure or too short). AP is COCO's: pooled over pictures, 101 recall points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.detections import Kind
from edge.geometry import Floats, Window, clip_polygon, polygon_area

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

IOUS = np.arange(0.5, 0.96, 0.05)
COUNT_IOU = 0.3
"""For counting, a loose box is still the vessel."""
LENGTH_BINS = (0, 8, 16, 32, 64, 128, 256, 10_000)


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


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What was found in a picture, best score first."""

    corners: Floats
    score: Floats
    kinds: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A picture's predictions beside its truth."""

    truth: Truth
    predicted: Predicted
    iou: Floats
    """With the counted truths, shape (predictions, counted truths)."""
    dropped: NDArray[np.bool_]
    """Predictions that, unmatched, count for neither side."""

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


def judge(truth: Truth, corners: Floats, score: Floats, kinds: NDArray[np.int64]) -> Judged:
    """Compare one picture's predictions (n, 4, 2), (n,), (n,) with its truth."""
    order = np.argsort(-score, kind="stable")
    predicted = Predicted(corners[order], score[order], kinds[order])
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


def average_precision(pictures: Sequence[Judged], iou: float) -> float:
    """COCO's 101-point AP at one IoU; NaN where there is nothing to find."""
    scores: list[float] = []
    right: list[bool] = []
    wanted = sum(p.iou.shape[1] for p in pictures)
    for picture in pictures:
        for score, answer in zip(picture.predicted.score, match(picture, iou), strict=True):
            if answer is not None:
                scores.append(float(score))
                right.append(answer >= 0)
    if wanted == 0:
        return float("nan")
    if not scores:
        return 0.0
    hits = np.asarray(right, np.float64)[np.argsort(-np.asarray(scores), kind="stable")]
    total = np.cumsum(hits)
    precision = np.maximum.accumulate((total / np.arange(1, len(total) + 1))[::-1])[::-1]
    at = np.searchsorted(total / wanted, np.linspace(0, 1, 101) - 1e-12, side="left")
    return float(np.mean([precision[k] if k < len(precision) else 0.0 for k in at]))


def ratio(part: float, whole: float) -> float | None:
    """A share, or None where there is nothing to share."""
    return part / whole if whole else None


def _finding(pictures: Sequence[Judged], threshold: float, iou: float) -> dict[str, float | None]:
    """Precision, recall and F1 of finding vessels of any kind."""
    right = wrong = missed = 0
    for picture in pictures:
        answers = match(picture, iou, threshold)
        hits = sum(a is not None and a >= 0 for a in answers)
        right += hits
        wrong += sum(a == -1 for a in answers)
        missed += picture.iou.shape[1] - hits
    return {
        "precision": ratio(right, right + wrong),
        "recall": ratio(right, right + missed),
        "f1": ratio(2 * right, 2 * right + wrong + missed),
    }


def _counting(pictures: Sequence[Judged], threshold: float) -> dict[str, float | None]:
    """Errors of the count per picture."""
    errors, true = [], []
    for picture in pictures:
        wanted = picture.iou.shape[1]
        said = sum(a is not None for a in match(picture, COUNT_IOU, threshold))
        errors.append(abs(said - wanted))
        true.append(wanted)
    off, n = np.asarray(errors), len(errors)
    return {
        "count_mae": ratio(float(off.sum()), n),
        "count_exact": ratio(float((off == 0).sum()), n),
        "count_within_10": ratio(float((off <= 0.1 * np.asarray(true) + 1e-9).sum()), n),
    }


def _kinds(pictures: Sequence[Judged], threshold: float, iou: float) -> dict[str, Any]:
    """Tankers: precision and recall by the scorer's rules, and the confusion of found vessels (truth -> said)."""
    table = {t.label: {s.label: 0 for s in Kind} | {"missed": 0} for t in Kind}
    right = wrong = 0
    for picture in pictures:
        answers = match(picture, iou, threshold)
        seen = set()
        for said, answer in zip(picture.predicted.kinds, answers, strict=False):
            if answer is None:
                continue
            truth = picture.kinds[answer] if answer >= 0 else -1
            if answer >= 0:
                seen.add(answer)
                table[Kind(int(truth)).label][Kind(int(said)).label] += 1
            if said == Kind.TANKER and truth != Kind.UNKNOWN:
                right += truth == Kind.TANKER
                wrong += truth != Kind.TANKER
        for j, kind in enumerate(picture.kinds):
            table[Kind(int(kind)).label]["missed"] += j not in seen
    wanted = sum(int((p.kinds == Kind.TANKER).sum()) for p in pictures)
    return {
        "tanker_precision": ratio(int(right), int(right + wrong)),
        "tanker_recall": ratio(int(right), wanted),
        "tankers": wanted,
        "recall_by_kind": {k: ratio(sum(r.values()) - r["missed"], sum(r.values())) for k, r in table.items()},
        "confusion": table,
    }


def _by_length(pictures: Sequence[Judged], threshold: float, iou: float) -> dict[str, dict[str, float | None]]:
    """Recall by the length of the vessel in px of the picture."""
    hit = np.zeros(len(LENGTH_BINS) - 1, int)
    all_ = np.zeros_like(hit)
    for picture in pictures:
        found = {a for a in match(picture, iou, threshold) if a is not None and a >= 0}
        for j, length in enumerate(picture.lengths):
            column = int(np.searchsorted(LENGTH_BINS, length, side="right")) - 1
            all_[column] += 1
            hit[column] += j in found
    return {
        f"{low}-{high if high < LENGTH_BINS[-1] else ''}": {"vessels": int(n), "recall": ratio(int(h), int(n))}
        for low, high, n, h in zip(LENGTH_BINS, LENGTH_BINS[1:], all_, hit, strict=False)
        if n
    }


def summarise(pictures: Sequence[Judged], threshold: float) -> dict[str, Any]:
    """All figures of some pictures at a score threshold."""
    wanted = sum(p.iou.shape[1] for p in pictures)
    precisions = [average_precision(pictures, float(x)) for x in IOUS]
    return {
        "pictures": len(pictures),
        "vessels": wanted,
        "ap50": precisions[0] if wanted else None,
        "ap50_95": float(np.mean(precisions)) if wanted else None,
        **_finding(pictures, threshold, 0.5),
        **_counting(pictures, threshold),
        **_kinds(pictures, threshold, 0.5),
        "by_length": _by_length(pictures, threshold, 0.5),
    }

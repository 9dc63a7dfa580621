"""Figures of a model: AP, F1, counts, kinds. Pure functions, no I/O.

Predictions are matched by the rules of training.matching. AP is COCO's: pooled over pictures, 101 recall points. How
far scores and intervals can be trusted is in training.reliability.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.detections import Kind
from training.matching import COUNT_IOU, Judged, Predicted, Said, Truth, judge, long_sides, match

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.geometry import Floats

__all__ = [  # noqa: RUF022 - what is matched first, what follows from it after
    "COUNT_IOU", "Judged", "Predicted", "Said", "Truth", "judge", "long_sides", "match",
    "IOUS", "KIND_BINS", "LENGTH_BINS", "Curve", "Outcomes", "area_under", "average_precision", "bin_names",
    "count_errors", "count_kind", "curve", "finding", "found_tankers", "found_vessels", "kinds_by_length", "ratio",
    "summarise", "tanker_average_precision",
]  # fmt: skip

IOUS = np.arange(0.5, 0.96, 0.05)
LENGTH_BINS = (0, 8, 16, 32, 64, 128, 256, 10_000)
"""Lengths, px of the picture, between which recall is told."""
KIND_BINS = (0, 30, 60, 10_000)
"""Lengths, px of the picture, between which kinds are told: a crop of a short vessel shows little of its deck."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Beliefs beside what came true, pooled over pictures."""

    score: Floats
    """Shape (n,), 0 to 1."""
    right: NDArray[np.bool_]
    """Shape (n,)."""

    @classmethod
    def of(cls, rows: Sequence[tuple[float, bool]]) -> Outcomes:
        """From pairs (belief, whether it came true)."""
        return cls(np.array([r[0] for r in rows], np.float64), np.array([r[1] for r in rows], bool))


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Precision and recall from the best-scored prediction down to the last."""

    score: Floats
    """Shape (n,), falling."""
    precision: Floats
    """Shape (n,): of the predictions of at least this score."""
    recall: Floats
    """Shape (n,)."""


def curve(outcomes: Outcomes, wanted: int) -> Curve:
    """Precision and recall of ranked predictions, of `wanted` truths."""
    order = np.argsort(-outcomes.score, kind="stable")
    total = np.cumsum(outcomes.right[order].astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = total / wanted
    return Curve(outcomes.score[order], total / np.arange(1, len(total) + 1), recall)


def area_under(line: Curve) -> float:
    """COCO's 101-point AP: the mean over recalls 0, 0.01, ... 1 of the best precision at that recall or more."""
    precision = np.maximum.accumulate(line.precision[::-1])[::-1]
    at = np.searchsorted(line.recall, np.linspace(0, 1, 101) - 1e-12, side="left")
    return float(np.mean([precision[k] if k < len(precision) else 0.0 for k in at]))


def found_vessels(pictures: Sequence[Judged], iou: float) -> Outcomes:
    """The scores of all predictions, and whether a vessel is there; those that nothing can be said of are left out."""
    rows = []
    for picture in pictures:
        for score, answer in zip(picture.predicted.score, match(picture, iou), strict=True):
            if answer is not None:
                rows.append((float(score), answer >= 0))
    return Outcomes.of(rows)


def found_tankers(pictures: Sequence[Judged], iou: float) -> Outcomes:
    """The beliefs of all predictions that a tanker is there (score x kind_score), and whether one is.

    Vessels are matched as they are for finding, whatever their kind. What is too small to tell is never called a tanker
    and has no rank; on vessels of unknown kind nothing can be said.
    """
    rows = []
    for picture in pictures:
        belief = picture.predicted.score * picture.predicted.kind_score
        for score, answer in zip(belief, match(picture, iou), strict=True):
            if answer is None or np.isnan(score):
                continue
            kind = int(picture.kinds[answer]) if answer >= 0 else Kind.OTHER
            if kind != Kind.UNKNOWN:
                rows.append((float(score), kind == Kind.TANKER))
    return Outcomes.of(rows)


def _average(outcomes: Outcomes, wanted: int) -> float:
    """AP of ranked predictions; NaN where there is nothing to find."""
    return area_under(curve(outcomes, wanted)) if wanted else float("nan")


def average_precision(pictures: Sequence[Judged], iou: float) -> float:
    """AP of finding vessels at one IoU; NaN where there is nothing to find."""
    return _average(found_vessels(pictures, iou), sum(p.iou.shape[1] for p in pictures))


def tanker_average_precision(pictures: Sequence[Judged], iou: float) -> float:
    """AP of finding tankers at one IoU, ranked by score x kind_score; NaN where there is none to find."""
    return _average(found_tankers(pictures, iou), count_kind(pictures, Kind.TANKER))


def count_kind(pictures: Sequence[Judged], kind: Kind) -> int:
    """Number of counted truths of a kind."""
    return sum(int((p.kinds == kind).sum()) for p in pictures)


def ratio(part: float, whole: float) -> float | None:
    """A share, or None where there is nothing to share."""
    return part / whole if whole else None


def finding(pictures: Sequence[Judged], threshold: float, iou: float) -> dict[str, float | None]:
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


def count_errors(pictures: Sequence[Judged], threshold: float) -> dict[str, float | None]:
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
    wanted = count_kind(pictures, Kind.TANKER)
    return {
        "tanker_precision": ratio(int(right), int(right + wrong)),
        "tanker_recall": ratio(int(right), wanted),
        "tankers": wanted,
        "recall_by_kind": {k: ratio(sum(r.values()) - r["missed"], sum(r.values())) for k, r in table.items()},
        "confusion": table,
    }


def bin_names(edges: Sequence[int]) -> list[str]:
    """Names of the bins between edges (n + 1), px; the last is open."""
    names = [f"{low}-{high}" for low, high in itertools.pairwise(edges)]
    return [*names[:-1], f"{edges[-2]}-"]


def _bin(length: float, edges: Sequence[int]) -> int:
    """Number of the bin that holds a length, px; its lower edge belongs to it."""
    return min(int(np.searchsorted(edges, length, side="right")) - 1, len(edges) - 2)


def _by_length(pictures: Sequence[Judged], threshold: float, iou: float) -> dict[str, dict[str, float | None]]:
    """Recall by the length of the vessel in px of the picture."""
    hit = np.zeros(len(LENGTH_BINS) - 1, int)
    all_ = np.zeros_like(hit)
    for picture in pictures:
        found = {a for a in match(picture, iou, threshold) if a is not None and a >= 0}
        for j, length in enumerate(picture.lengths):
            column = _bin(length, LENGTH_BINS)
            all_[column] += 1
            hit[column] += j in found
    return {
        name: {"vessels": int(n), "recall": ratio(int(h), int(n))}
        for name, n, h in zip(bin_names(LENGTH_BINS), all_, hit, strict=True)
        if n
    }


@dataclass(slots=True)
class _Tally:
    """How often a kind was told rightly, wrongly, or missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def row(self) -> dict[str, float | None]:
        """As precision, recall and F1, with the number of truths."""
        return {
            "vessels": self.right + self.missed,
            "precision": ratio(self.right, self.right + self.wrong),
            "recall": ratio(self.right, self.right + self.missed),
            "f1": ratio(2 * self.right, 2 * self.right + self.wrong + self.missed),
        }


def kinds_by_length(
    pictures: Sequence[Judged], threshold: float, iou: float
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Precision, recall and F1 of tankers and of others: bin of length -> kind -> figures.

    The length is that of the truth, and of an invention its own, px of the picture. A vessel that is not found, or
    whose kind is not told, is missed; on vessels of unknown kind nothing can be said.
    """
    kinds = (Kind.TANKER, Kind.OTHER)
    tallies = [{kind: _Tally() for kind in kinds} for _ in KIND_BINS[1:]]
    for picture in pictures:
        lengths, own = picture.lengths, long_sides(picture.predicted.corners)
        told: dict[int, int] = {}
        for i, answer in enumerate(match(picture, iou, threshold)):
            said = int(picture.predicted.kinds[i])
            if answer is not None and answer >= 0:
                told[answer] = said
            elif answer == -1 and said in kinds:
                tallies[_bin(own[i], KIND_BINS)][Kind(said)].wrong += 1
        for j, truth in enumerate(picture.kinds):
            if truth == Kind.UNKNOWN:
                continue
            _tell(tallies[_bin(lengths[j], KIND_BINS)], Kind(int(truth)), told.get(j))
    return {
        name: {kind.label: tally.row() for kind, tally in some.items()}
        for name, some in zip(bin_names(KIND_BINS), tallies, strict=True)
    }


def _tell(tallies: dict[Kind, _Tally], truth: Kind, said: int | None) -> None:
    """Enter one vessel of known kind; None says that it was not found."""
    if said == truth:
        tallies[truth].right += 1
        return
    tallies[truth].missed += 1
    if said is not None and said != Kind.UNKNOWN:
        tallies[Kind(said)].wrong += 1


def summarise(pictures: Sequence[Judged], threshold: float) -> dict[str, Any]:
    """All figures of some pictures at a score threshold."""
    wanted = sum(p.iou.shape[1] for p in pictures)
    precisions = [average_precision(pictures, float(x)) for x in IOUS]
    return {
        "pictures": len(pictures),
        "vessels": wanted,
        "ap50": precisions[0] if wanted else None,
        "ap50_95": float(np.mean(precisions)) if wanted else None,
        "tanker_ap50": tanker_average_precision(pictures, 0.5) if count_kind(pictures, Kind.TANKER) else None,
        **finding(pictures, threshold, 0.5),
        **count_errors(pictures, threshold),
        **_kinds(pictures, threshold, 0.5),
        "by_length": _by_length(pictures, threshold, 0.5),
        "kinds_by_length": kinds_by_length(pictures, threshold, 0.5),
    }

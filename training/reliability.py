"""How far scores and intervals can be trusted: reliability bins, calibration error, coverage. Pure functions, no I/O.

Expected calibration error (ECE): Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian
binning", AAAI 2015; with bins of equal width as in Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural
networks", ICML 2017. Bins of equal count are told beside it: most scores are near 0 or 1, where equal widths put all
of them into two bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.detections import Kind
from training.matching import COUNT_IOU, match
from training.metrics import Outcomes, found_vessels, ratio

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from edge.geometry import Floats
    from training.matching import Judged

BINS = 10
LEVEL = 0.9
"""Share of the scenes whose true count an interval should hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Beliefs in groups, each beside what came true; groups without a belief are left out."""

    said: Floats
    """Mean belief, shape (n,)."""
    true: Floats
    """Share that came true, shape (n,)."""
    size: NDArray[np.int64]
    """Number of beliefs, shape (n,)."""


def _bins(groups: Iterable[NDArray[np.intp]], outcomes: Outcomes) -> Bins:
    """Groups of row numbers as bins."""
    rows = [g for g in groups if len(g)]
    return Bins(
        np.array([outcomes.score[g].mean() for g in rows], np.float64),
        np.array([outcomes.right[g].mean() for g in rows], np.float64),
        np.array([len(g) for g in rows], np.int64),
    )


def equal_width(outcomes: Outcomes, bins: int = BINS) -> Bins:
    """Bins (0, 1/n], (1/n, 2/n], ... (Guo et al. 2017); 0 itself belongs to the first."""
    place = np.clip(np.ceil(outcomes.score * bins).astype(int) - 1, 0, bins - 1)
    return _bins((np.flatnonzero(place == k) for k in range(bins)), outcomes)


def equal_count(outcomes: Outcomes, bins: int = BINS) -> Bins:
    """Bins of as many beliefs each, give or take one, from the lowest beliefs to the highest."""
    # Ties go by what came true, so that the order of the pictures has no say.
    order = np.lexsort((outcomes.right, outcomes.score))
    return _bins(np.array_split(order, bins), outcomes)


def calibration_error(bins: Bins) -> float | None:
    """ECE, 0 to 1: the mean over all beliefs of |said - true| of their bin; None without any."""
    total = int(bins.size.sum())
    return float((bins.size * np.abs(bins.said - bins.true)).sum() / total) if total else None


def vessel_outcomes(pictures: Sequence[Judged]) -> Outcomes:
    """Scores of all candidates, and whether a vessel is there (IoU of COUNT_IOU: a loose box is still the vessel)."""
    return found_vessels(pictures, COUNT_IOU)


def kind_outcomes(pictures: Sequence[Judged]) -> Outcomes:
    """Beliefs in a tanker of the candidates that are vessels of known kind, and whether they are tankers."""
    rows = []
    for picture in pictures:
        for belief, answer in zip(picture.predicted.kind_score, match(picture, COUNT_IOU), strict=True):
            if answer is None or answer < 0 or np.isnan(belief) or picture.kinds[answer] == Kind.UNKNOWN:
                continue
            rows.append((float(belief), bool(picture.kinds[answer] == Kind.TANKER)))
    return Outcomes.of(rows)


@dataclass(frozen=True, slots=True)
class _Scene:
    """One scene's number, as it is said and as it is."""

    said: int
    low: int
    high: int
    true: int


def _scenes(pictures: Sequence[Judged], threshold: float) -> dict[str, list[_Scene]]:
    """Numbers of vessels and of tankers, a row a scene.

    Where the labels leave open whether a counted box is a vessel (or a tanker), it is taken to be one, as counting
    does: the interval is for all that was counted.
    """
    out: dict[str, list[_Scene]] = {"vessel": [], "tanker": []}
    for picture in pictures:
        said = picture.said
        if said is None:
            continue
        answers = match(picture, COUNT_IOU, threshold)
        judged = sum(a is not None for a in answers)
        tankers = _judged_tankers(picture, answers)
        vessels = picture.iou.shape[1] + said.vessel - judged
        out["vessel"].append(_Scene(said.vessel, *said.vessel_interval, vessels))
        true = int((picture.kinds == Kind.TANKER).sum()) + said.tanker - tankers
        out["tanker"].append(_Scene(said.tanker, *said.tanker_interval, true))
    return out


def _judged_tankers(picture: Judged, answers: Sequence[int | None]) -> int:
    """Boxes called tankers of which the labels say whether they are."""
    told = zip(picture.predicted.kinds, answers, strict=False)
    return sum(
        kind == Kind.TANKER and a is not None and (a < 0 or picture.kinds[a] != Kind.UNKNOWN) for kind, a in told
    )


def needed_half_width(errors: Sequence[int], level: float = LEVEL) -> int | None:
    """The least h for which count ± h holds the truth in a share `level` of the scenes; None without any.

    It is the order statistic of rank ceil(level * n) of the absolute errors of the counts: what an interval of the same
    width for every scene, made with hindsight, would need. A mean width of the intervals far above twice that is waste.
    """
    if len(errors) == 0:
        return None
    rank = math.ceil(level * len(errors) - 1e-9)
    return int(np.sort(np.abs(np.asarray(errors)))[rank - 1])


def _coverage(scenes: Sequence[_Scene]) -> dict[str, float | None]:
    """How often intervals hold the truth, on which side it lies otherwise, and how wide they are."""
    n = len(scenes)
    return {
        "scenes": n,
        "coverage": ratio(sum(s.low <= s.true <= s.high for s in scenes), n),
        "truth_below": ratio(sum(s.true < s.low for s in scenes), n),
        "truth_above": ratio(sum(s.true > s.high for s in scenes), n),
        "mean_width": ratio(sum(s.high - s.low for s in scenes), n),
        "half_width_needed": needed_half_width([s.said - s.true for s in scenes]),
    }


def interval_figures(pictures: Sequence[Judged], threshold: float) -> dict[str, dict[str, dict[str, float | None]]]:
    """Figures of the intervals: vessel or tanker -> `all` scenes, and `busy` ones -> figures.

    A busy scene holds a vessel or a candidate: the many empty ones, which no one gets wrong, hide the others. The
    threshold must be the one that the documents were made with.
    """
    told = [p for p in pictures if p.said is not None]
    busy = [bool(p.iou.shape[1] or len(p.predicted.score)) for p in told]
    return {
        of: {"all": _coverage(rows), "busy": _coverage([r for r, is_busy in zip(rows, busy, strict=True) if is_busy])}
        for of, rows in _scenes(told, threshold).items()
    }


def trust(pictures: Sequence[Judged], threshold: float) -> dict[str, Any]:
    """All figures of this file for some pictures."""
    vessel, kind = vessel_outcomes(pictures), kind_outcomes(pictures)
    return {
        "vessel_ece": calibration_error(equal_width(vessel)),
        "vessel_ece_equal_count": calibration_error(equal_count(vessel)),
        "kind_ece": calibration_error(equal_width(kind)),
        "kind_ece_equal_count": calibration_error(equal_count(kind)),
        "interval": interval_figures(pictures, threshold),
    }

"""Detections -> counts by kind, and the interval that goes with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from edge.calibration import Spread, logit, sigmoid
from edge.detections import Detections, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.geometry import Floats

LEVEL = 0.90
SCENES = 33
"""Equally likely scenes, from the hardest to the easiest, that stand for all."""
EXACT_UP_TO = 2000
"""Above this many candidates the sum of independent draws is taken as normal (its error is far below one vessel)."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many vessels of each kind, and between which numbers the truth is likely to lie."""

    tanker: int
    other: int
    unknown: int
    tanker_interval: tuple[int, int]
    vessel_interval: tuple[int, int]

    @property
    def vessel(self) -> int:
        """All kinds together."""
        return self.tanker + self.other + self.unknown

    @property
    def counts(self) -> dict[str, int]:
        """By kind, and all together, as a document has them."""
        return {"tanker": self.tanker, "other": self.other, "unknown": self.unknown, "vessel": self.vessel}

    @property
    def intervals(self) -> dict[str, list[int]]:
        """As a document has them."""
        return {"tanker": list(self.tanker_interval), "vessel": list(self.vessel_interval)}


def interval(beliefs: Floats, counted: int, scene: float = 0.0, missed: float = 0.0) -> tuple[int, int]:
    """Central interval of the number of true vessels, widened where needed to hold the count.

    Each candidate is an independent draw with its belief (n,) as probability, so their sum is Poisson-binomial. All
    log-odds of a scene are off together by a normal of standard deviation `scene`, and vessels without a candidate come
    on top, Poisson with mean `missed`.
    """
    return _holding(counted, bounds(beliefs, scene, missed))


def bounds(beliefs: Floats, scene: float = 0.0, missed: float = 0.0) -> tuple[int, int] | None:
    """The same before it is widened to hold a count; None where nothing is uncertain."""
    if len(beliefs) == 0 and missed == 0:
        return None
    tail = (1 - LEVEL) / 2
    if len(beliefs) > EXACT_UP_TO:
        low, high = (_normal_quantile(beliefs, scene, missed, share) for share in (tail, 1 - tail))
        return low, high
    below = np.cumsum(distribution(beliefs, scene, missed))
    low, high = int(np.searchsorted(below, tail)), int(np.searchsorted(below, 1 - tail))
    return low, min(high, len(below) - 1)


def _holding(counted: int, between: tuple[int, int] | None) -> tuple[int, int]:
    """An interval that holds the count."""
    low, high = between or (counted, counted)
    return min(counted, low), max(counted, high)


def distribution(beliefs: Floats, scene: float = 0.0, missed: float = 0.0) -> Floats:
    """Mass (k,) of the number of true vessels, from none on; see `interval`."""
    shifted = _shifted(beliefs, scene)
    mass = np.zeros((len(shifted), len(beliefs) + 1))
    mass[:, 0] = 1.0
    for i, p in enumerate(shifted.T[:, :, None]):
        mass[:, 1 : i + 2] = mass[:, 1 : i + 2] * (1 - p) + mass[:, : i + 1] * p
        mass[:, :1] *= 1 - p
    total = np.convolve(mass.mean(0), _poisson(missed))
    return np.asarray(total / total.sum())


def _shifted(beliefs: Floats, scene: float) -> Floats:
    """Beliefs (SCENES, n) in equally likely scenes that are easier or harder; (1, n) where scenes do not differ."""
    if scene == 0:
        return beliefs[None]
    normal = NormalDist()
    off = scene * np.array([normal.inv_cdf((i + 0.5) / SCENES) for i in range(SCENES)])
    certain = (beliefs <= 0) | (beliefs >= 1)
    return np.where(certain, beliefs, sigmoid(logit(beliefs) + off[:, None]))


def _poisson(mean: float) -> Floats:
    """Mass of a Poisson distribution, as far as it matters."""
    n = np.arange(math.ceil(mean + 8 * math.sqrt(mean)) + 4)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(n[1:]))])
    return np.asarray(np.exp(n * math.log(mean) - mean - log_factorial)) if mean > 0 else np.ones(1)


def _normal_quantile(beliefs: Floats, scene: float, missed: float, share: float) -> int:
    """A quantile of the same distribution, each equally likely scene taken as normal."""
    shifted = _shifted(beliefs, scene)
    means = shifted.sum(1) + missed
    spreads = np.sqrt((shifted * (1 - shifted)).sum(1) + missed)
    scenes = [NormalDist(float(m), max(float(s), 1e-9)) for m, s in zip(means, spreads, strict=True)]
    # The normal's tails go below no vessel at all, and above all of the candidates where nothing is missed.
    low, high = 0, len(beliefs) + math.ceil(missed + 8 * math.sqrt(missed))
    while low < high:
        middle = (low + high) // 2
        if sum(n.cdf(middle + 0.5) for n in scenes) / len(scenes) < share:
            low = middle + 1
        else:
            high = middle
    return low


def count(candidates: Detections, threshold: float, spread: Spread | None = None, scale: float = 1.0) -> Count:
    """Count the candidates whose score reaches the threshold; the interval sees the others too.

    Args:
        candidates: all kept boxes, px of the scene.
        threshold: score from which a vessel counts.
        spread: what the card says of the uncertainty of counts; None for the scores alone.
        scale: px of the working frame per px of the scene.
    """
    return recount(candidates, [threshold], spread, scale)[0]


def recount(
    candidates: Detections, thresholds: Iterable[float], spread: Spread | None = None, scale: float = 1.0
) -> list[Count]:
    """The counts at several thresholds, which cost hardly more than one; see `count`."""
    spread = spread or Spread()
    tanker = candidates.score * np.nan_to_num(candidates.kind_score, nan=0.0)
    lengths = candidates.xywhr[:, 2] * scale
    tankers, vessels = (
        bounds(beliefs, spread.scene, spread.missed(beliefs, lengths)) for beliefs in (tanker, candidates.score)
    )
    counts = []
    for threshold in thresholds:
        found = candidates[candidates.score >= threshold]
        by_kind = {kind: int((found.kind == kind).sum()) for kind in Kind}
        counts.append(
            Count(
                by_kind[Kind.TANKER],
                by_kind[Kind.OTHER],
                by_kind[Kind.UNKNOWN],
                _holding(by_kind[Kind.TANKER], tankers),
                _holding(len(found), vessels),
            )
        )
    return counts

"""How well kinds are told, from held-out answers: precision, recall, AP, calibration, with intervals over ships.

Every figure weighs each ship as one, however many pictures show it: `weights_of`. Pure functions, no I/O.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.calibration import KindScale
from edge.detections import Kind
from training.platt import fit_logistic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from edge.geometry import Floats

    Rows = Sequence[dict[str, Any]]

DRAWS = 1000
"""Of the bootstrap."""
LEVEL = 0.90
BINS_PX = ((0.0, 30.0), (30.0, 60.0), (60.0, np.inf))
ABOVE = 0.5
"""A tanker is called one where that is the likelier kind. To choose the belief of the best F1 on the other folds was
tried and was no better (LOG.md): there are too few ships to choose by."""
ECE_BINS = 10
DOUBT = 0.1
"""Belief from which a vessel may be a tanker at all."""
WARSHIPS = "naval-harbours-bit-300"
"""Told apart in every figure: many, alike, and none of them a tanker."""


def merchants(rows: Rows) -> list[dict[str, Any]]:
    """The rows that are of no warship."""
    return [r for r in rows if r["source"] != WARSHIPS]


def weights_of(rows: Rows) -> Floats:
    """Weights (n,): all boxes of one ship together count as one."""
    boxes = Counter(r["ship"] for r in rows)
    return np.array([1 / boxes[r["ship"]] for r in rows])


def tankers_of(rows: Rows) -> Floats:
    """1.0 for tankers, 0.0 for others, shape (n,)."""
    return np.array([float(r["kind"] == Kind.TANKER) for r in rows])


def fit_kind(rows: Rows) -> tuple[float, float]:
    """Platt's slope and offset for the log-odds of held-out vessels; warships take no part."""
    used = merchants(rows)
    said = np.array([[r["tanker"]] for r in used], np.float64).reshape(-1, 1)
    slope, offset = fit_logistic(said, tankers_of(used), np.array([1.0]), weights_of(used))
    return float(slope), float(offset)


def cross_fitted(rows: Rows, said: Floats) -> Floats:
    """Probability (n,) of a tanker; the two numbers of each fold come from the other folds' rows."""
    out = np.empty(len(rows))
    folds = np.array([r["fold"] for r in rows])
    for fold in sorted(set(folds.tolist())):
        others = [r for r in rows if r["fold"] not in (fold, "val")]
        # One fold only (a network that saw no real vessel): its numbers come from its own rows, and are no evidence.
        slope, offset = fit_kind(others or rows)
        out[folds == fold] = KindScale(slope, offset).probability(said[folds == fold])
    return out


def average_precision(belief: Floats, tanker: Floats, weights: Floats) -> float:
    """Area under the precision-recall steps (no interpolation), with weights (n,)."""
    order = np.argsort(-belief, kind="stable")
    hit = np.cumsum((tanker * weights)[order])
    precision = hit / np.maximum(np.cumsum(weights[order]), 1e-12)
    gain = (tanker * weights)[order]
    return float((precision * gain).sum() / max(gain.sum(), 1e-12))


def rates(belief: Floats, tanker: Floats, weights: Floats, above: float = ABOVE) -> dict[str, float | None]:
    """Precision, recall and F1 of calling a tanker what is believed one with `above` or more."""
    said = belief >= above
    right = float((weights * tanker)[said].sum())
    called, wanted = float(weights[said].sum()), float((weights * tanker).sum())
    return {
        "precision": right / called if called else None,
        "recall": right / wanted if wanted else None,
        "f1": 2 * right / (called + wanted) if called + wanted else None,
    }


def calibration_error(belief: Floats, tanker: Floats, weights: Floats) -> float:
    """Expected calibration error, ECE_BINS bins of equal width (Naeini et al., AAAI 2015; Guo et al., ICML 2017)."""
    which = np.minimum((belief * ECE_BINS).astype(int), ECE_BINS - 1)
    gap = np.abs([(weights * (belief - tanker))[which == b].sum() for b in range(ECE_BINS)])
    return float(gap.sum() / max(weights.sum(), 1e-12))


def reliability(belief: Floats, tanker: Floats, weights: Floats) -> list[dict[str, float]]:
    """For each bin that is not empty: mean belief, share of tankers, ships."""
    which = np.minimum((belief * ECE_BINS).astype(int), ECE_BINS - 1)
    out = []
    for b in range(ECE_BINS):
        w = weights * (which == b)
        if w.sum() > 0:
            belief_mean, share = float(w @ belief / w.sum()), float(w @ tanker / w.sum())
            out.append({"said": round(belief_mean, 3), "true": round(share, 3), "ships": round(float(w.sum()), 1)})
    return out


def bootstrap(rows: Rows, statistic: Callable[[NDArray[np.intp]], float | None], rng: Generator) -> list[float] | None:
    """Interval of LEVEL of a statistic of row numbers, drawing ships (tankers and others apart) with replacement."""
    by_ship: dict[bool, dict[str, list[int]]] = {True: {}, False: {}}
    for i, r in enumerate(rows):
        by_ship[r["kind"] == Kind.TANKER].setdefault(r["ship"], []).append(i)
    pools = [[np.array(v) for v in ships.values()] for ships in by_ship.values() if ships]
    values = []
    for _ in range(DRAWS):
        drawn = [pool[i] for pool in pools for i in rng.integers(0, len(pool), len(pool))]
        value = statistic(np.concatenate(drawn))
        if value is not None:
            values.append(value)
    if not values:
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [round(float(low), 3), round(float(high), 3)]


def judged(rows: Rows, belief: Floats, rng: Generator) -> dict[str, Any]:
    """All figures of some rows and their beliefs (n,), with intervals; and what chance would give."""
    tanker, weights = tankers_of(rows), weights_of(rows)
    share = float(weights @ tanker / max(weights.sum(), 1e-12))
    out: dict[str, Any] = {
        "vessels": len(rows),
        "ships": len({r["ship"] for r in rows}),
        "tanker_boxes": int(tanker.sum()),
        "tanker_ships": len({r["ship"] for r in rows if r["kind"] == Kind.TANKER}),
    }
    if not rows or share == 0:
        return out | {"called": int((belief >= ABOVE).sum())}
    told = rates(belief, tanker, weights)
    out |= {"ap": average_precision(belief, tanker, weights), **told}
    out["ap_interval"] = bootstrap(rows, lambda i: average_precision(belief[i], tanker[i], weights[i]), rng)
    out["f1_interval"] = bootstrap(rows, lambda i: rates(belief[i], tanker[i], weights[i])["f1"], rng)
    out["ece"] = calibration_error(belief, tanker, weights)
    # Most vessels are surely no tankers, and any share of them that is called so is right: the rest by itself.
    open_ = belief >= DOUBT
    out["ece_from_0.1"] = calibration_error(belief[open_], tanker[open_], weights[open_])
    out["ships_from_0.1"] = round(float(weights[open_].sum()), 1)
    out["by_box"] = rates(belief, tanker, np.ones(len(rows)))
    # A caller who knows the share of tankers and nothing else: AP is the share, and calling all has the best F1.
    out["chance"] = {"ap": share, "f1": 2 * share / (1 + share)}
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in out.items()}


def figures(rows: Rows, rng: Generator) -> dict[str, Any]:
    """Figures of held-out vessels of known kind: all, by fold kind, by length, reduced to lengths; warships apart."""
    rows = list(rows)
    belief = cross_fitted(rows, np.array([r["tanker"] for r in rows]))
    merchant = np.array([r["source"] != WARSHIPS for r in rows], bool)
    val = np.array([r["fold"] == "val" for r in rows], bool)
    length = np.array([r["length_px"] for r in rows])

    def part(mask: NDArray[np.bool_]) -> dict[str, Any]:
        where = np.flatnonzero(mask)
        return judged([rows[i] for i in where], belief[where], rng)

    slope, offset = fit_kind([r for r in rows if r["fold"] != "val"] or rows)
    long_enough = merchant & (length >= BINS_PX[1][0])
    chosen = [rows[i] for i in np.flatnonzero(merchant)]
    return {
        "all": part(merchant),
        "from_30_px": part(long_enough),
        "cross_validated": part(merchant & ~val),
        "val": part(merchant & val),
        "by_length": {f"{low:g}-{high:g}": part(merchant & (length >= low) & (length < high)) for low, high in BINS_PX},
        "warships": part(~merchant),
        "reliability": reliability(belief[merchant], tankers_of(chosen), weights_of(chosen)),
        "reduced": by_reduced_length(chosen, rng),
        "platt": {"slope": round(slope, 4), "offset": round(offset, 4)},
    }


def by_reduced_length(rows: Rows, rng: Generator) -> dict[str, Any]:
    """The same vessels seen at shorter and shorter lengths: from which on can a kind be told?"""
    out = {}
    for length in sorted({key for r in rows for key in r["reduced"]}, key=float):
        some = [r for r in rows if length in r["reduced"]]
        belief = cross_fitted(some, np.array([r["reduced"][length] for r in some]))
        out[length] = judged(some, belief, rng)
    return out

"""How far measured lengths, beams and headings are off, from found vessels and their labels. Pure functions, no I/O.

What `fit_errors` gives goes into a card as `errors`; `edge.sizes` says what its numbers mean. Each bound has two
constants. One takes 101 values from 0 to the quantile of all errors; the other is then the least that leaves `LEVEL` of
the errors within the bound (their order statistic of rank LEVEL * (n + 1), as in split conformal prediction). These
pairs of constants all cover alike; the one of the least quantile (pinball) loss between the logarithms of errors and
bounds is taken. That is fair to short and long vessels alike; the narrowest pair would serve some at others' expense.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.geometry import canonical
from edge.model_card import ErrorsCard, SizeError
from edge.sizes import heading_error, size_error
from training.metrics import LENGTH_BINS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.geometry import Floats

LEVEL = 0.9
"""Share of the errors that the bounds hold."""
LEAST_PAIRS = 30
"""Fewer say nothing of a tail of a tenth."""
_STEPS = 101
_PER_UNIT = 10_000
"""Constants have four decimals."""
_LEAST = 1e-3
"""Errors, px or degrees, below which no difference is made: their logarithm has no end."""
_STEEPEST_DEG = 89.9
"""A right angle would take ends that are infinitely far off."""

Bound = tuple[float, float]
"""Its two constants."""


def fit_errors(predicted: Floats, true: Floats) -> dict[str, Any] | None:
    """The object `errors` of a card, from matched pairs of boxes (n, 5) px of the working frame; None from too few.

    Bounds are functions of the predicted size: that of the truth is not known in the field.
    """
    found, truth = canonical(predicted), canonical(true)
    if len(found) < LEAST_PAIRS:
        return None
    length, beam, heading = _deviations(found, truth)
    length_px, length_share = _fit_size(length, found[:, 2])
    beam_px, beam_share = _fit_size(beam, found[:, 3])
    floor, heading_px = _fit_heading(heading, found[:, 2])
    return {
        "length": {"px": length_px, "share": length_share},
        "beam": {"px": beam_px, "share": beam_share},
        "heading_deg": {"px": heading_px, "floor": floor},
        "level": LEVEL,
        "pairs": len(found),
    }


def measurement_report(predicted: Floats, true: Floats, errors: dict[str, Any] | None = None) -> dict[str, Any]:
    """Medians of the errors over matched pairs of boxes (n, 5) px, all and by true length.

    `length` and `beam` are shares of the true size, `heading_deg` is modulo 180. With the errors of a card, `within`
    says which share of each lies within them: on pairs that the fit did not see, it should be `LEVEL`.
    """
    found, truth = canonical(predicted), canonical(true)
    bins = np.searchsorted(LENGTH_BINS, truth[:, 2], side="right") - 1
    names = [f"{low}-{high if high < LENGTH_BINS[-1] else ''}" for low, high in pairwise(LENGTH_BINS)]
    by_length = {name: _figures(found[bins == k], truth[bins == k], errors) for k, name in enumerate(names)}
    return {**_figures(found, truth, errors), "by_length": {k: v for k, v in by_length.items() if v["pairs"]}}


def _deviations(found: Floats, truth: Floats) -> tuple[Floats, Floats, Floats]:
    """How far off lengths (n,) px, beams (n,) px and headings (n,) degrees, 0 .. 90, are."""
    length, beam = np.abs(found[:, 2:4] - truth[:, 2:4]).T
    turn = np.rad2deg(found[:, 4] - truth[:, 4]) % 180
    return length, beam, np.minimum(turn, 180 - turn)


def _fit_size(off: Floats, size: Floats) -> Bound:
    """Constants `px` and `share` from errors (n,) px of sizes (n,) px."""

    def needed(px: float) -> Floats:
        return np.asarray(np.sqrt(np.maximum(off**2 - px**2, 0)) / np.maximum(size, _LEAST))

    # A share above 1 is no error any more; the last candidate, all px and no share, is always left.
    return _fit(off, needed, lambda px, share: size_error(size, SizeError(px, share)), most=1.0)


def _fit_heading(off: Floats, length: Floats) -> Bound:
    """Constants `floor` and `px` from errors (n,) degrees of headings of vessels of lengths (n,) px."""

    def needed(floor: float) -> Floats:
        turn = np.sqrt(np.maximum(off**2 - floor**2, 0))
        return np.asarray(np.tan(np.deg2rad(np.minimum(turn, _STEEPEST_DEG))) * length)

    def bound(floor: float, px: float) -> Floats:
        none = SizeError(0, 0)
        return heading_error(length, ErrorsCard(none, none, heading_px=px, heading_floor_deg=floor, level=LEVEL))

    return _fit(off, needed, bound)


def _fit(
    off: Floats, needed: Callable[[float], Floats], bound: Callable[[float, float], Floats], most: float = math.inf
) -> Bound:
    """The best two constants.

    Args:
        off: errors (n,).
        needed: from the first constant to the second that each error (n,) takes to be within the bound.
        bound: from both constants to the bounds (n,).
        most: the second constant may not be larger.
    """
    firsts = [_up(value) for value in np.linspace(0, _order_statistic(off), _STEPS)]
    pairs = [(first, _up(_order_statistic(needed(first)))) for first in firsts]
    return min((pair for pair in pairs if pair[1] <= most), key=lambda pair: _loss(off, bound(*pair)))


def _order_statistic(values: Floats) -> float:
    """The least value that holds LEVEL of the values (n,), and of one more that is still to come."""
    rank = math.ceil(LEVEL * (len(values) + 1))
    return float(np.sort(values)[rank - 1])


def _up(value: float) -> float:
    """Rounded up, so that no error that was within the bound falls out; what is a digit short of whole stays."""
    return math.ceil(value * _PER_UNIT - 1e-6) / _PER_UNIT


def _loss(off: Floats, bounds: Floats) -> float:
    """Mean pinball loss at LEVEL between the logarithms of errors (n,) and of bounds (n,)."""
    beyond = np.log(np.maximum(off, _LEAST)) - np.log(np.maximum(bounds, _LEAST))
    return float(np.maximum(LEVEL * beyond, (LEVEL - 1) * beyond).mean())


def _figures(found: Floats, truth: Floats, errors: dict[str, Any] | None) -> dict[str, Any]:
    """The figures of some pairs; None where there are none."""
    offs = _deviations(found, truth)
    sizes: tuple[Floats | float, ...] = (np.maximum(truth[:, 2], _LEAST), np.maximum(truth[:, 3], _LEAST), 1.0)
    names = ("length", "beam", "heading_deg")
    figures: dict[str, Any] = {"pairs": len(found)}
    for name, off, size in zip(names, offs, sizes, strict=True):
        figures[name] = float(np.median(off / size)) if len(found) else None
    if errors and len(found):
        held = zip(names, offs, _bounds(found, errors), strict=True)
        figures["within"] = {name: _share(off <= bound) for name, off, bound in held}
    return figures


def _bounds(found: Floats, errors: dict[str, Any]) -> tuple[Floats, Floats, Floats]:
    """Half-widths (n,) of length px, beam px and heading degrees by a card's errors."""
    length, beam = (SizeError(errors[name]["px"], errors[name]["share"]) for name in ("length", "beam"))
    heading = errors["heading_deg"]
    card = ErrorsCard(length, beam, heading["px"], heading["floor"], errors["level"])
    return size_error(found[:, 2], length), size_error(found[:, 3], beam), heading_error(found[:, 2], card)


def _share(right: NDArray[np.bool_]) -> float:
    return float(right.mean())

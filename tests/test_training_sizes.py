"""What training says of errors of measurement holds for vessels that it did not see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.sizes import LEAST_PAIRS, LEVEL, fit_errors, measurement_report

if TYPE_CHECKING:
    from edge.geometry import Floats

Z90 = 1.6449
"""Half-width that holds 90 % of a standard normal."""


def _pairs(count: int, seed: int, px: float = 1.0, share: float = 0.03, turn: float = 1.0) -> tuple[Floats, Floats]:
    """Boxes (n, 5) that were found, and the true ones; `px`, `share` and `turn` (degrees) are standard deviations."""
    rng = np.random.default_rng(seed)
    length = np.exp(rng.uniform(np.log(12), np.log(350), count))
    true = np.column_stack([
        rng.uniform(0, 1000, (count, 2)), length, length * rng.uniform(0.14, 0.25, count), rng.uniform(0, np.pi, count),
    ])  # fmt: skip
    found = true.copy()
    sizes = true[:, 2:4]
    found[:, 2:4] = np.maximum(sizes + rng.normal(0, 1, (count, 2)) * np.hypot(px, share * sizes), 0.5)
    spread = np.hypot(np.deg2rad(turn), np.arctan2(0.8, length))
    found[:, 4] += rng.normal(0, 1, count) * spread + np.pi * rng.integers(-1, 2, count)
    return found, true


@pytest.mark.parametrize(("px", "share"), [(1.0, 0.03), (0.0, 0.05), (2.0, 0.0), (0.5, 0.1)])
def test_bounds_hold_nine_tenths_of_fresh_vessels_of_every_size(px: float, share: float) -> None:
    errors = fit_errors(*_pairs(3000, 1, px, share))
    report = measurement_report(*_pairs(20_000, 2, px, share), errors)
    for name in ("length", "beam", "heading_deg"):
        assert report["within"][name] == pytest.approx(LEVEL, abs=0.02)
        for figures in report["by_length"].values():
            assert figures["within"][name] == pytest.approx(LEVEL, abs=0.08)


def test_constants_come_near_those_that_made_the_errors() -> None:
    errors = fit_errors(*_pairs(20_000, 3))
    assert errors is not None
    assert errors["length"]["px"] == pytest.approx(Z90 * 1.0, rel=0.2)
    assert errors["length"]["share"] == pytest.approx(Z90 * 0.03, rel=0.1)
    assert errors["heading_deg"]["px"] == pytest.approx(Z90 * 0.8, rel=0.2)
    assert errors["heading_deg"]["floor"] == pytest.approx(Z90 * 1.0, rel=0.2)
    assert (errors["level"], errors["pairs"]) == (LEVEL, 20_000)


@pytest.mark.parametrize("seed", range(5))
def test_bounds_hold_nine_tenths_of_the_vessels_that_they_come_from(seed: int) -> None:
    pairs = _pairs(40 * (seed + 1), seed)
    within = measurement_report(*pairs, fit_errors(*pairs))["within"]
    assert all(LEVEL <= share < LEVEL + 0.05 for share in within.values())


def test_the_fit_is_what_a_card_may_hold() -> None:
    errors = fit_errors(*_pairs(200, 4, px=30, share=0.9, turn=70))
    assert errors is not None
    assert 0 <= errors["length"]["share"] <= 1
    assert 0 <= errors["beam"]["share"] <= 1
    assert 0 <= errors["heading_deg"]["floor"] <= 90
    json.dumps(errors, allow_nan=False)


def test_the_same_pairs_give_the_same_fit_in_any_order_and_form() -> None:
    found, true = _pairs(500, 5)
    order = np.random.default_rng(0).permutation(500)
    turned = found[:, [0, 1, 3, 2, 4]] + [0, 0, 0, 0, np.pi / 2]
    assert fit_errors(found, true) == fit_errors(found[order], true[order]) == fit_errors(turned, true)


def test_exact_boxes_have_no_error() -> None:
    _, true = _pairs(100, 6)
    assert fit_errors(true, true) == {
        "length": {"px": 0, "share": 0}, "beam": {"px": 0, "share": 0}, "heading_deg": {"px": 0, "floor": 0},
        "level": LEVEL, "pairs": 100,
    }  # fmt: skip


def test_too_few_pairs_give_no_errors() -> None:
    found, true = _pairs(LEAST_PAIRS, 7)
    assert fit_errors(found, true) is not None
    assert fit_errors(found[1:], true[1:]) is None
    assert fit_errors(np.empty((0, 5)), np.empty((0, 5))) is None


def test_the_report_tells_medians_by_length() -> None:
    true = np.array([[0, 0, 20.0, 5, 0.0], [0, 0, 20, 5, 0], [0, 0, 100, 20, 3.1]])
    found = true + np.array([[0, 0, 2, 0.5, 0.1], [0, 0, 0, 0, -0.1], [9, 9, -10, 0, 0.1]])
    report = measurement_report(found, true)
    assert report["pairs"] == 3
    assert report["length"] == pytest.approx(0.1)
    assert report["beam"] == pytest.approx(0.0)
    assert report["heading_deg"] == pytest.approx(np.rad2deg(0.1)), "modulo 180"
    assert list(report["by_length"]) == ["16-32", "64-128"]
    assert report["by_length"]["16-32"]["length"] == pytest.approx(0.05)
    assert "within" not in report


def test_a_report_of_nothing() -> None:
    nothing = np.empty((0, 5))
    assert measurement_report(nothing, nothing) == {
        "pairs": 0, "length": None, "beam": None, "heading_deg": None, "by_length": {},
    }  # fmt: skip

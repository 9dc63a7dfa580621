from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.telling import (
    WARSHIPS,
    average_precision,
    bootstrap,
    calibration_error,
    cross_fitted,
    figures,
    fit_kind,
    judged,
    rates,
    weights_of,
)


def _row(ship: str, kind: int, said: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a row
    row = {"ship": ship, "kind": kind, "tanker": said, "fold": "0", "source": "s", "length_px": 70.0, "reduced": {}}
    return row | more


def _fleet(seed: int = 0, number: int = 200) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [
        _row(f"s{i}", int(i % 4 > 0), float(rng.normal(2 if i % 4 == 0 else -2, 1.5)), fold=str(i % 5))
        for i in range(number)
    ]


def test_a_ship_counts_once_however_many_pictures_show_it() -> None:
    rows = [_row("a", 0, 1.0), _row("a", 0, 2.0), _row("b", 1, 0.0)]
    assert weights_of(rows).tolist() == [0.5, 0.5, 1.0]
    belief = np.array([0.9, 0.1, 0.8])
    told = rates(belief, np.array([1.0, 1.0, 0.0]), weights_of(rows))
    assert told["precision"] == pytest.approx(0.5 / 1.5)
    assert told["recall"] == pytest.approx(0.5)


def test_average_precision_by_hand() -> None:
    belief, tanker = np.array([0.9, 0.8, 0.7, 0.1]), np.array([1.0, 0.0, 1.0, 0.0])
    assert average_precision(belief, tanker, np.ones(4)) == pytest.approx((1 + 2 / 3) / 2)


def test_calibration_error_by_hand() -> None:
    belief, tanker = np.array([0.95, 0.95, 0.05, 0.05]), np.array([1.0, 0.0, 0.0, 0.0])
    assert calibration_error(belief, tanker, np.ones(4)) == pytest.approx((2 * 0.45 + 2 * 0.05) / 4)


def test_what_is_calibrated_is_calibrated() -> None:
    rows = _fleet(number=4000)
    belief = cross_fitted(rows, np.array([r["tanker"] for r in rows]))
    tanker = np.array([r["kind"] == 0 for r in rows], float)
    assert calibration_error(belief, tanker, np.ones(len(rows))) < 0.02


def test_the_numbers_of_a_fold_come_from_the_other_folds() -> None:
    rows = _fleet()
    before = cross_fitted(rows, np.array([r["tanker"] for r in rows]))
    for r in rows:
        if r["fold"] == "3":
            r["kind"] = 1 - r["kind"]
    after = cross_fitted(rows, np.array([r["tanker"] for r in rows]))
    third = np.array([r["fold"] == "3" for r in rows])
    assert np.array_equal(before[third], after[third])
    assert not np.allclose(before[~third], after[~third])


def test_warships_do_not_move_the_scale() -> None:
    rows = _fleet()
    assert fit_kind([*rows, *[_row(f"w{i}", 1, 3.0, source=WARSHIPS) for i in range(50)]]) == fit_kind(rows)


def test_a_bootstrap_draws_ships_and_not_boxes() -> None:
    """One ship in a hundred pictures is one ship: the interval of a mean over two such ships is as wide as can be."""
    rows = [_row("a", 0, 0.0) for _ in range(100)] + [_row("b", 0, 1.0) for _ in range(100)]
    said = np.array([r["tanker"] for r in rows])
    assert bootstrap(rows, lambda i: float(said[i].mean()), np.random.default_rng(0)) == [0.0, 1.0]


def test_chance_is_the_share_of_tankers() -> None:
    rows = _fleet(number=100)
    told = judged(rows, np.full(100, 0.5), np.random.default_rng(0))
    assert told["chance"]["ap"] == pytest.approx(0.25)
    assert told["recall"] == 1
    assert told["f1"] == pytest.approx(told["chance"]["f1"], abs=1e-4), "to call all is what chance does best"


def test_figures_part_val_and_warships() -> None:
    rows = [*_fleet(), _row("v", 0, 5.0, fold="val"), _row("w", 1, -5.0, source=WARSHIPS)]
    rows[0]["reduced"] = {"16": 1.0}
    told = figures(rows, np.random.default_rng(0))
    assert told["all"]["vessels"] == 201
    assert told["val"] == told["val"] | {"vessels": 1, "tanker_ships": 1, "recall": 1.0}
    assert told["warships"] == {"vessels": 1, "ships": 1, "tanker_boxes": 0, "tanker_ships": 0, "called": 0}
    assert told["reduced"]["16"]["vessels"] == 1
    assert told["by_length"]["60-inf"]["vessels"] == 201

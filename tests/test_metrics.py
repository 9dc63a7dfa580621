"""Metrics against hand-made answers and, where it is there, the independent scorer."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from edge.detections import Kind
from edge.geometry import to_corners
from training import metrics
from training.metrics import (
    Judged,
    Outcomes,
    Truth,
    area_under,
    average_precision,
    bin_names,
    curve,
    judge,
    kinds_by_length,
    match,
    summarise,
    tanker_average_precision,
)

SCORER = Path(__file__).resolve().parent.parent.parent / "shared" / "score.py"


def _boxes(*rows: tuple[float, float, float, float, float]) -> np.ndarray:
    return to_corners(np.array(rows, np.float64).reshape(-1, 5))


def _truth(corners: np.ndarray, kinds: list[int], counted: list[bool] | None = None, ignored: tuple = ()) -> Truth:
    flags = np.ones(len(kinds), bool) if counted is None else np.array(counted, bool)
    return Truth("p", "s", 400, 300, corners, np.array(kinds), flags, ignored)


def _judged(
    truth: Truth, corners: np.ndarray, score: list[float], kinds: list[int], told: list[float] | None = None
) -> Judged:
    beliefs = None if told is None else np.array(told, np.float64)
    return judge(truth, corners, np.array(score, np.float64), np.array(kinds, np.int64), beliefs)


def test_a_perfect_answer_scores_one() -> None:
    boxes = _boxes((50, 50, 60, 10, 0.3), (200, 100, 80, 12, 1.2), (100, 200, 30, 8, 2.0))
    row = summarise([_judged(_truth(boxes, [0, 1, 2]), boxes, [0.9, 0.8, 0.7], [0, 1, 1])], 0.25)
    assert row["ap50"] == row["ap50_95"] == row["f1"] == pytest.approx(1.0)
    assert row["count_mae"] == 0
    assert row["tanker_precision"] == row["tanker_recall"] == 1
    assert row["confusion"]["unknown"]["other"] == 1
    assert row["recall_by_kind"] == {"tanker": 1, "other": 1, "unknown": 1}


def test_a_double_is_an_invention_and_a_miss_a_miss() -> None:
    boxes = _boxes((50, 50, 60, 10, 0), (200, 100, 60, 10, 0))
    twice = _boxes((50, 50, 60, 10, 0), (51, 50, 60, 10, 0))
    judged = _judged(_truth(boxes, [1, 1]), twice, [0.9, 0.8], [1, 1])
    assert match(judged, 0.5) == [0, -1]
    row = summarise([judged], 0.25)
    assert (row["precision"], row["recall"]) == (0.5, 0.5)
    assert row["count_mae"] == 0, "one double and one miss: the count is right by luck"


def test_what_cannot_be_told_counts_for_neither_side() -> None:
    unsure, ignored = _boxes((50, 50, 60, 10, 0)), _boxes((200, 200, 80, 80, 0))
    said = _boxes((50, 50, 60, 10, 0), (200, 200, 20, 8, 0), (350, 100, 20, 8, 0))
    truth = _truth(unsure, [1], [False], (ignored[0],))
    assert match(_judged(truth, said, [0.9, 0.8, 0.7], [1, 1, 1]), 0.5) == [None, None, -1]


def test_average_precision_by_hand() -> None:
    boxes = _boxes((50, 50, 60, 10, 0), (200, 100, 60, 10, 0))
    said = _boxes((50, 50, 60, 10, 0), (300, 250, 60, 10, 0), (200, 100, 60, 10, 0))
    judged = _judged(_truth(boxes, [1, 1]), said, [0.9, 0.8, 0.7], [1, 1, 1])
    # Precision 1 up to recall 0.5 (51 of 101 points), 2/3 beyond.
    assert average_precision([judged], 0.5) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_kind_scores_go_with_their_boxes() -> None:
    boxes = _boxes((50, 50, 60, 10, 0), (200, 100, 60, 10, 0))
    judged = _judged(_truth(boxes, [0, 1]), boxes, [0.3, 0.9], [0, 1], [0.8, 0.1])
    assert judged.predicted.kind_score.tolist() == [0.1, 0.8]
    assert np.isnan(_judged(_truth(boxes, [0, 1]), boxes, [0.3, 0.9], [0, 1]).predicted.kind_score).all()


def test_a_curve_by_hand() -> None:
    line = curve(Outcomes.of([(0.5, False), (0.9, True), (0.2, True)]), 4)
    assert line.score.tolist() == [0.9, 0.5, 0.2]
    assert line.precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert line.recall.tolist() == [0.25, 0.25, 0.5]
    # Recalls 0 to 0.25: 26 points of precision 1; to 0.5: 25 of 2/3; none beyond.
    assert area_under(line) == pytest.approx((26 + 25 * 2 / 3) / 101)


def test_tankers_are_ranked_by_both_beliefs() -> None:
    boxes = _boxes(*((60 + 110 * i, 50, 60, 10, 0) for i in range(3)), (60, 200, 60, 10, 0), (200, 200, 60, 10, 0))
    # A tanker, an other of higher rank, an unknown, a tanker too small to tell, and an invention.
    truth = _truth(boxes[:4], [Kind.TANKER, Kind.OTHER, Kind.UNKNOWN, Kind.TANKER])
    judged = _judged(truth, boxes, [0.9, 0.8, 0.7, 0.6, 0.5], [0] * 5, [0.5, 0.9, 0.99, float("nan"), 0.8])
    # Ranked: other 0.72 (wrong), tanker 0.45 (right), invention 0.40 (wrong); one of two tankers is found.
    assert tanker_average_precision([judged], 0.5) == pytest.approx(51 / 2 / 101)
    assert np.isnan(tanker_average_precision([_judged(_truth(boxes[:1], [1]), boxes, [0.9] * 5, [0] * 5)], 0.5))


def test_kinds_by_length_by_hand() -> None:
    boxes = _boxes((50, 50, 20, 6, 0), (150, 50, 30, 8, 0), (250, 50, 59, 10, 0), (100, 150, 60, 12, 0))
    truth = _truth(boxes, [Kind.TANKER, Kind.OTHER, Kind.UNKNOWN, Kind.TANKER])
    extra = _boxes((100, 250, 90, 12, 0))
    said = np.concatenate([boxes[:3], extra])
    judged = _judged(truth, said, [0.9, 0.8, 0.7, 0.6], [Kind.TANKER, Kind.TANKER, Kind.OTHER, Kind.OTHER])
    rows = kinds_by_length([judged], 0.25, 0.5)
    assert list(rows) == bin_names((0, 30, 60, 10_000)) == ["0-30", "30-60", "60-"]
    assert rows["0-30"]["tanker"] == {"vessels": 1, "precision": 1, "recall": 1, "f1": 1}
    assert rows["30-60"]["tanker"] == {"vessels": 0, "precision": 0, "recall": None, "f1": 0}
    assert rows["30-60"]["other"] == {"vessels": 1, "precision": None, "recall": 0, "f1": 0}
    assert rows["60-"]["tanker"] == {"vessels": 1, "precision": None, "recall": 0, "f1": 0}, "missed"
    assert rows["60-"]["other"] == {"vessels": 0, "precision": 0, "recall": None, "f1": 0}, "invented"


def test_bins_of_length_hold_what_the_totals_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The totals are counted by other code, box by box and not vessel by vessel."""
    rng = np.random.default_rng(3)
    pictures = []
    for _ in range(20):
        n = int(rng.integers(1, 8))
        wild = np.stack([rng.uniform(40, 360, n), rng.uniform(40, 260, n), rng.uniform(12, 90, n),
                         rng.uniform(5, 10, n), rng.uniform(0, 3, n)], 1)  # fmt: skip
        said = wild[rng.random(n) < 0.8] + rng.normal(0, [0.5, 0.5, 1, 0.2, 0.02])
        kinds = rng.integers(0, 3, len(said)).tolist()
        truth = _truth(to_corners(wild), rng.integers(0, 3, n).tolist())
        pictures.append(_judged(truth, to_corners(said), rng.uniform(0.3, 1, len(said)).tolist(), kinds))
    row = summarise(pictures, 0.25)
    bins = [row["kinds_by_length"][name]["tanker"] for name in bin_names(metrics.KIND_BINS)]
    assert sum(b["vessels"] for b in bins) == row["tankers"]
    monkeypatch.setattr(metrics, "KIND_BINS", (0, 10_000))
    (one,) = kinds_by_length(pictures, 0.25, 0.5).values()
    assert one["tanker"]["recall"] == row["tanker_recall"]
    assert one["tanker"]["precision"] == row["tanker_precision"]
    assert 0 < row["tanker_precision"] < 1


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the scorer leaves files open
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_agrees_with_the_independent_scorer(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("score", SCORER)
    assert spec
    assert spec.loader
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    rng = np.random.default_rng(1)
    pictures, predictions = [], {}
    for i in range(12):
        n = int(rng.integers(0, 9))
        wild = np.stack(
            [
                rng.uniform(-10, 410, n),
                rng.uniform(-10, 310, n),
                rng.uniform(10, 120, n),
                rng.uniform(4, 30, n),
                rng.uniform(0, 3, n),
            ],
            1,
        )
        corners, kinds, sure = to_corners(wild), rng.integers(0, 3, n), rng.random(n) < 0.8
        ignored = (_boxes((300, 200, 90, 60, 0))[0],) if i % 3 == 0 else ()
        noisy = wild[rng.random(n) < 0.8]
        noisy = noisy + rng.normal(0, [2, 2, 3, 1, 0.05], noisy.shape)
        extra = np.stack(
            [
                rng.uniform(0, 400, 3),
                rng.uniform(0, 300, 3),
                rng.uniform(10, 90, 3),
                rng.uniform(4, 20, 3),
                rng.uniform(0, 3, 3),
            ],
            1,
        )
        said = to_corners(np.abs(np.concatenate([noisy, extra])))
        score, told = rng.uniform(0.05, 1, len(said)), rng.integers(0, 3, len(said))
        truth = Truth(f"s{i}", "x", 400, 300, corners, kinds, sure, ignored)
        pictures.append(judge(truth, said, score, told))
        predictions[f"s{i}"] = [
            {"corners": c.tolist(), "score": float(s), "class": int(k)}
            for c, s, k in zip(said, score, told, strict=True)
        ]
        rows = [
            {"corners": c.tolist(), "class": int(k), "sure": bool(s), "length_px": float(w[2])}
            for c, k, s, w in zip(corners, kinds, sure, wild, strict=True)
        ]
        content = {
            "scene": f"s{i}",
            "width": 400,
            "height": 300,
            "group": "x",
            "gsd_m_per_px": None,
            "annotations": rows,
            "ignore": [p.tolist() for p in ignored],
        }
        (tmp_path / f"s{i}.json").write_text(json.dumps(content))
    (tmp_path / "p").mkdir()
    (tmp_path / "p/predictions.json").write_text(json.dumps(predictions))
    theirs = scorer.main([str(tmp_path), str(tmp_path / "p/predictions.json"), "--conf", "0.25", "--quiet"])["all"]
    ours = summarise(pictures, 0.25)
    pairs = {
        "P50": "precision", "R50": "recall", "F50": "f1", "AP50": "ap50", "AP50_95": "ap50_95",
        "count_MAE": "count_mae", "count_exact": "count_exact", "count_within10": "count_within_10",
        "tankerP50": "tanker_precision", "tankerR50": "tanker_recall",
    }  # fmt: skip
    for theirs_name, ours_name in pairs.items():
        assert ours[ours_name] == pytest.approx(theirs[theirs_name], abs=2e-3), ours_name

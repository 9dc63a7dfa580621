from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import toy_model

from edge.calibration import VesselScale, sigmoid
from edge.detector import load_detector
from edge.geometry import to_corners
from training import calibrate as step
from training.calibrate import (
    Looked,
    best_threshold,
    cross_fitted_error,
    evidence,
    fit_spread,
    fit_vessel,
    matched_boxes,
    miss_rates,
    probability,
)
from training.metrics import Truth, judge

if TYPE_CHECKING:
    from pathlib import Path

    from edge.geometry import Floats

PITCH = 40.0


def _picture(
    log_odds: Floats, real: Floats, unseen: int = 0, *, rng: np.random.Generator, doubtful: bool = False
) -> Looked:
    """Candidates of 20 px in a row, of which some are `real` vessels, and vessels that left no candidate."""
    n = len(log_odds)
    boxes = np.array([[PITCH * (i + 1), 30.0, 20.0, 6.0, 0.0] for i in range(n + unseen)]).reshape(-1, 5)
    true = to_corners(boxes[np.concatenate([real.astype(bool), np.ones(unseen, bool)])])
    truth = Truth(
        "p.png", "s", int(PITCH * (n + unseen + 2)), 60, true, np.full(len(true), 2), np.ones(len(true), bool),
        doubtful=np.full(len(true), doubtful),
    )  # fmt: skip
    finder = log_odds * 0.5 + rng.normal(0, 1.0, n)
    judged = judge(truth, to_corners(boxes[:n]), sigmoid(finder), np.arange(n))
    look = (log_odds - finder)[judged.predicted.kinds]
    return Looked(judged, look, 1.0)


def _pictures(number: int, *, shared: float = 0.0, unseen: float = 0.0, seed: int = 0) -> list[Looked]:
    """Pictures whose candidates are real with the sum of both log-odds, moved by what each scene has of its own."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(number):
        log_odds = rng.normal(0, 2.0, 6)
        real = rng.random(6) < sigmoid(log_odds + rng.normal(0, shared))
        out.append(_picture(log_odds, real, int(rng.poisson(unseen)), rng=rng))
    return out


def test_the_weights_that_made_the_candidates_are_found() -> None:
    scale = fit_vessel(_pictures(600))
    assert scale.finder == pytest.approx(1.0, abs=0.25)
    assert scale.look == pytest.approx(1.0, abs=0.25)
    error = cross_fitted_error(_pictures(600))
    assert error is not None
    assert error < 0.03


def test_what_lies_where_nothing_can_be_said_is_no_evidence() -> None:
    picture = _picture(np.array([1.0, 2.0]), np.array([0, 0]), rng=np.random.default_rng(0))
    hidden = (to_corners(np.array([[PITCH, 30.0, 30.0, 30.0, 0.0]]))[0],)
    predicted = picture.judged.predicted
    judged = judge(replace(picture.judged.truth, ignored=hidden), predicted.corners, predicted.score, predicted.kinds)
    assert len(evidence([picture])[1]) == 2
    assert len(evidence([replace(picture, judged=judged)])[1]) == 1


def test_vessels_without_a_candidate_are_counted_by_length() -> None:
    rates = dict(map(tuple, miss_rates(_pictures(300, unseen=0.6))))
    assert rates[12.0] == pytest.approx(0.6 / 3, abs=0.06), "0.6 unseen for 3 seen, all of them 20 px long"
    assert rates[24.0] == 1, "where nothing was seen, as many may be missed as found"


@pytest.mark.parametrize("shared", [0.0, 1.2])
def test_how_much_scenes_differ_is_found(shared: float) -> None:
    pictures = _pictures(400, shared=shared)
    scale = VesselScale(1.0, 1.0, 0.0, 0.0)
    assert fit_spread(pictures, scale, [[0.0, 0.0]]).scene == pytest.approx(shared, abs=0.35)


def test_the_threshold_of_the_best_f1_is_taken() -> None:
    """With calibrated scores the best threshold is half of the best F1 (Lipton et al., 2014)."""
    pictures = _pictures(800)
    threshold = best_threshold(pictures, VesselScale(1.0, 1.0, 0.0, 0.0))
    assert threshold == pytest.approx(0.4, abs=0.08)


def test_only_sure_labels_tell_how_far_sizes_are_off() -> None:
    rng = np.random.default_rng(1)
    scale = VesselScale(1.0, 1.0, 0.0, 0.0)
    sure = _picture(np.full(3, 4.0), np.ones(3), rng=rng)
    doubtful = _picture(np.full(2, 4.0), np.ones(2), rng=rng, doubtful=True)
    low = _picture(np.full(2, -4.0), np.ones(2), rng=rng)
    ours, theirs = matched_boxes([sure, doubtful, low], scale, 0.5)
    assert len(ours) == len(theirs) == 3
    assert np.allclose(ours, theirs)
    assert np.allclose(matched_boxes([replace(sure, scale=2.0)], scale, 0.5)[0][:, 2], 40.0), "px of the working frame"


def test_calibrated_scores_come_back_from_the_runtime(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Calibrated from a folder of pictures; the card is read by the runtime and gives the probabilities of the fit."""
    folder = toy_model.model_folder(tmp_path / "toy", kinds=True)
    imagery = tmp_path / "imagery"
    for part in ("images", "labels"):
        (imagery / part).mkdir(parents=True)
    rows = ["image,split,group"]
    rng = np.random.default_rng(3)
    for i in range(8):
        shown = rng.random() < 0.7
        pixels = toy_model.picture(128, 128, {(4, 4): 255, (10, 12): 160}, green=90)
        cv2.imwrite(str(imagery / "images" / f"p{i}.png"), pixels[:, :, ::-1])
        quads = [to_corners(np.array([[36.0, 36.0, 24.0, 8.0, 0.0]]))] * shown
        lines = ["2 " + " ".join(f"{v / 128:.6f}" for v in quad.ravel()) for quad in quads]
        (imagery / "labels" / f"p{i}.txt").write_text("\n".join(lines) + "\n")
        rows.append(f"p{i}.png,calib,{i}")
    (imagery / "split.csv").write_text("\n".join(rows) + "\n")
    assert step.main(["--model", str(folder), "--folder", str(imagery), "--out", str(tmp_path / "out")]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    card = load_detector(folder, "cpu").card
    assert card.vessel is not None
    assert card.vessel.finder == told["finder"]
    assert card.score_threshold == told["threshold"]
    assert card.errors is None, "five vessels say nothing of a tail"
    scale = VesselScale(1.0, 0.0, 0.0, 0.0)
    picture = _picture(np.array([0.3]), np.ones(1), rng=rng)
    assert probability(scale, picture).tolist() == pytest.approx(picture.judged.predicted.score.tolist())

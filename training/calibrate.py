"""Make a model's scores, kinds, counts and sizes mean what they say, from pictures that no network was trained on.

    python -m training.calibrate --model models/mine --data ../shared/data --held-out runs/cross/held-out.json

Looks at the `calib` side of the sets and writes into the card: how the finder's score, the second look and the length
make a probability (logistic); the threshold of the best F1; how many vessels of each length leave no candidate; how far
scenes as a whole are easier or harder (maximum likelihood of the true counts); the errors of length, beam and heading.
Kinds are calibrated on the answers of training.cross_validate. The val side takes no part in any of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.calibration import Spread, VesselScale
from edge.count import distribution
from edge.detections import Kind
from edge.detector import Detector, load_detector
from edge.errors import InputError, UsageError
from edge.geometry import from_corners
from edge.pipeline import scan
from edge.scene import SceneOptions, open_scene
from training.cards import save_card
from training.evaluate import PARTLY_LABELLED, add_set_arguments, gather_pictures, judge_rows
from training.metrics import COUNT_IOU, Outcomes, match
from training.platt import fit_logistic
from training.reliability import calibration_error, equal_width
from training.scans import kept, picture_key
from training.sizes import fit_errors, measurement_report
from training.steps import finish, progress, run_step
from training.telling import fit_kind, merchants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.geometry import Floats
    from edge.kinds import KindTeller
    from training.metrics import Judged, Truth

PRIOR = np.array([1.0, 0.5, 0.0])
"""Weights of finder, second look and length without evidence."""
MISS_BINS_PX = (0.0, 12.0, 24.0, 48.0)
"""Lengths from which the share of vessels without a candidate is counted anew, px of the working frame."""
SPREADS = np.arange(0.0, 2.01, 0.1)
THRESHOLDS = np.arange(0.2, 0.71, 0.02)
SMOOTH = 5
"""The F1 of a threshold is the mean over so many neighbours: few pictures make a jagged curve."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """One picture of the calib side with its candidates, best finder's score first."""

    judged: Judged
    """Its predictions are the candidates; their kinds are row numbers here."""
    look: Floats
    """The second look's log-odds of a vessel, shape (n,), in the judged order."""
    scale: float
    """Px of the working frame per px of the picture."""

    @property
    def lengths(self) -> Floats:
        """Lengths (n,) of the candidates, px of the working frame."""
        return np.asarray(from_corners(self.judged.predicted.corners)[:, 2] * self.scale)

    @property
    def inputs(self) -> Floats:
        """What the score is made of, shape (n, 3)."""
        return VesselScale.inputs(self.judged.predicted.score, self.look, self.lengths)

    @property
    def answers(self) -> list[int | None]:
        """For each candidate its vessel, -1 for an invention, None where nothing can be said."""
        return match(self.judged, COUNT_IOU)


def look_at(detector: Detector, teller: KindTeller, path: Path, truth: Truth) -> dict[str, Any]:
    """Candidates of one picture with the finder's score and the second look's log-odds."""
    with open_scene(path, SceneOptions(gsd_m=truth.gsd_m)) as scene:
        result = scan(scene, replace(detector, teller=None))
        rows = result.candidates
        said = teller.look(scene, rows)
    return {
        "corners": np.round(rows.corners, 3).tolist(),
        "score": rows.score.tolist(),
        "look": said[:, 0].tolist(),
        "scale": result.scale.factor,
    }


def looked(detector: Detector, teller: KindTeller, pictures: Sequence[tuple[Path, Truth]], cache: Path) -> list[Looked]:
    """Look at all pictures; answers are kept in `cache` by model and picture."""
    card = detector.card
    asked = [
        card.raw["files"],
        card.raw["range"],
        card.tile_px,
        card.score_floor,
        card.nms_iou,
        repr(teller.card.chip_px),
        [detector.provider, detector.precision],
        (card.raw.get("precisions") or {}).get(detector.precision, {}).get("sha256"),
    ]
    stamp = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    out = []
    for path, truth in progress(pictures, len(pictures), "calibrate", every_s=15):
        name = picture_key(path, truth.source, truth.gsd_m)
        found = kept(cache / stamp / f"{name}.json", partial(look_at, detector, teller, path, truth))
        corners = np.array(found["corners"], np.float64).reshape(-1, 4, 2)
        judged = judge_rows(truth, corners, np.array(found["score"]), np.arange(len(corners)))
        out.append(Looked(judged, np.array(found["look"])[judged.predicted.kinds], found["scale"]))
    return out


def as_fields(scale: VesselScale) -> dict[str, float]:
    """As cards have it."""
    return {k: round(v, 4) for k, v in asdict(scale).items()}


def calib_pictures(args: argparse.Namespace) -> list[tuple[Path, Truth]]:
    """The pictures of the calib side whose labels are complete.

    Raises:
        InputError: they show no vessel.
    """
    pictures = [p for p in gather_pictures(args, "calib") if p[1].source not in PARTLY_LABELLED]
    if not any(truth.counted.any() for _, truth in pictures):
        raise InputError("calib", "no vessel is on the calib side", "add pictures, or rows `calib` to split.csv")
    return pictures


def fit_vessel(pictures: Sequence[Looked]) -> VesselScale:
    """The weights of a candidate's score, from candidates that are surely right or wrong."""
    inputs, right = evidence(pictures)
    finder, look, log_length, offset = fit_logistic(inputs, right, PRIOR).tolist()
    return VesselScale(finder, look, log_length, offset)


def evidence(pictures: Sequence[Looked]) -> tuple[Floats, Floats]:
    """Inputs (n, 3) and truth (n,) of all candidates of which something can be said."""
    inputs, right = [np.empty((0, 3))], [np.empty(0)]
    for p in pictures:
        answers = p.answers
        sure = np.array([a is not None for a in answers], bool)
        inputs.append(p.inputs[sure])
        right.append(np.array([float(a is not None and a >= 0) for a in answers])[sure])
    return np.concatenate(inputs), np.concatenate(right)


def probability(scale: VesselScale, picture: Looked) -> Floats:
    """Calibrated scores (n,) of a picture's candidates."""
    return scale.probability(picture.judged.predicted.score, picture.look, picture.lengths)


def cross_fitted_error(pictures: Sequence[Looked], folds: int = 5) -> float | None:
    """Expected calibration error where each fold's weights come from the other folds' pictures."""
    believed, truth = [], []
    for fold in range(folds):
        held = pictures[fold::folds]
        rest = [p for i, p in enumerate(pictures) if i % folds != fold]
        inputs, right = evidence(held)
        if not rest or not len(inputs):
            continue
        believed.append(fit_vessel(rest).weigh(inputs))
        truth.append(right)
    if not believed:
        return None
    belief = np.concatenate(believed)
    return calibration_error(equal_width(Outcomes(belief, np.concatenate(truth).astype(bool))))


def miss_rates(pictures: Sequence[Looked]) -> list[list[float]]:
    """[length from which, vessels without a candidate for each one with]: Laplace's rule, one seen and one unseen."""
    seen, unseen = np.ones(len(MISS_BINS_PX)), np.ones(len(MISS_BINS_PX))
    for p in pictures:
        hit = {a for a in p.answers if a is not None and a >= 0}
        for j, length in enumerate(p.judged.lengths * p.scale):
            where = int(np.searchsorted(MISS_BINS_PX, length, "right")) - 1
            (seen if j in hit else unseen)[where] += 1
    return [[at, round(float(u / s), 4)] for at, s, u in zip(MISS_BINS_PX, seen, unseen, strict=True)]


def fit_spread(pictures: Sequence[Looked], scale: VesselScale, misses: list[list[float]]) -> Spread:
    """The scenes' own difficulty: the standard deviation under which the true counts are likeliest."""
    rates = tuple((at, rate) for at, rate in misses)
    known = []
    for p in pictures:
        sure = np.array([a is not None for a in p.answers], bool)
        known.append((probability(scale, p)[sure], p.lengths[sure], _true_count(p)))

    def log_likelihood(spread: Spread) -> float:
        total = 0.0
        for belief, lengths, true in known:
            mass = distribution(belief, spread.scene, spread.missed(belief, lengths))
            total += float(np.log(max(mass[true] if true < len(mass) else 0.0, 1e-6)))
        return total

    return max((Spread(float(s), rates) for s in SPREADS), key=log_likelihood)


def _true_count(picture: Looked) -> int:
    return int(picture.judged.truth.counted.sum())


def best_threshold(pictures: Sequence[Looked], scale: VesselScale) -> float:
    """The threshold of the highest F1 at IoU 0.5, smoothed over its neighbours.

    Labels of doubtful geometry are neither right nor wrong here: whether a box fits them says nothing of it.
    """
    right, said, wanted = np.zeros(len(THRESHOLDS)), np.zeros(len(THRESHOLDS)), 0
    for p in pictures:
        belief = probability(scale, p)
        rescored = judge_rows(
            p.judged.truth.without_doubtful(), p.judged.predicted.corners, belief, p.judged.predicted.kinds
        )
        wanted += rescored.iou.shape[1]
        for i, threshold in enumerate(THRESHOLDS):
            answers = match(rescored, 0.5, float(threshold))
            right[i] += sum(a is not None and a >= 0 for a in answers)
            said[i] += sum(a is not None for a in answers)
    f1 = 2 * right / np.maximum(said + wanted, 1)
    smooth = np.convolve(np.pad(f1, SMOOTH // 2, "edge"), np.ones(SMOOTH) / SMOOTH, "valid")
    return round(float(THRESHOLDS[int(smooth.argmax())]), 2)


def matched_boxes(pictures: Sequence[Looked], scale: VesselScale, threshold: float) -> tuple[Floats, Floats]:
    """Counted boxes and the labelled ones that they are (n, 5), px of the working frame; doubtful labels left out."""
    ours, theirs = [np.empty((0, 5))], [np.empty((0, 5))]
    for p in pictures:
        truth = p.judged.truth
        counted = np.flatnonzero(truth.counted)
        belief = probability(scale, p)
        for i, answer in enumerate(p.answers):
            if answer is None or answer < 0 or belief[i] < threshold:
                continue
            row = counted[answer]
            if truth.doubtful is not None and truth.doubtful[row]:
                continue
            factor = np.array([p.scale] * 4 + [1.0])
            ours.append(from_corners(p.judged.predicted.corners[i : i + 1]) * factor)
            theirs.append(from_corners(truth.corners[row : row + 1]) * factor)
    return np.concatenate(ours), np.concatenate(theirs)


def calibrate(card: dict[str, Any], pictures: Sequence[Looked], held: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The card with all that was fitted, and what it was fitted on under `calibration`."""
    scale = fit_vessel(pictures)
    misses = miss_rates(pictures)
    spread = fit_spread(pictures, scale, misses)
    threshold = best_threshold(pictures, scale)
    ours, theirs = matched_boxes(pictures, scale, threshold)
    errors = fit_errors(ours, theirs)
    inputs, right = evidence(pictures)
    card = json.loads(json.dumps(card))
    card["score"] = as_fields(scale)
    card["count"] = {"scene": round(spread.scene, 2), "misses": misses}
    card["errors"] = errors
    card["thresholds"]["score"] = threshold
    told = {}
    if held:
        rows = merchants([r for r in held if r["kind"] is not None and r["fold"] != "val"])
        card["kind"]["slope"], card["kind"]["offset"] = (round(v, 4) for v in fit_kind(rows))
        told = {
            "kind_ships": len({r["ship"] for r in rows}),
            "kind_tanker_ships": len({r["ship"] for r in rows if r["kind"] == Kind.TANKER}),
        }
    card["calibration"] = {
        "pictures": len(pictures),
        "vessels": sum(_true_count(p) for p in pictures),
        "candidates": len(inputs),
        "right": int(right.sum()),
        "cross_fitted_ece": cross_fitted_error(pictures),
        "measured": measurement_report(ours, theirs),
        **told,
    }
    return card


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.calibrate", description=(__doc__ or "").splitlines()[0])
    add_set_arguments(parser)
    parser.add_argument("--held-out", type=Path, help="held-out.json of training.cross_validate, for the kinds")
    parser.add_argument("--out", type=Path, default=Path("runs/calibrate"), help="where answers are kept")
    args = parser.parse_args(argv)
    detector = load_detector(args.model, "cpu")
    if detector.teller is None:
        raise UsageError("--model", f"{args.model} has no second look", "export it anew with --kinds")
    seen = looked(detector, detector.teller, calib_pictures(args), args.out / "cache")
    held = json.loads(args.held_out.read_text()) if args.held_out else None
    card = calibrate(detector.card.raw, seen, held)
    save_card(args.model, card)
    finish(
        step="calibrate", model=card["name"], threshold=card["thresholds"]["score"], **card["score"], **card["count"],
        ece=card["calibration"]["cross_fitted_ece"],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    run_step(main)

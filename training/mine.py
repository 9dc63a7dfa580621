"""Collect what a model takes for vessels and is none: hard negatives, for the finder and for the second look.

    python -m training.mine --dataset runs/dataset --model models/vessel-n

Runs a model over the tiles of training.dataset the way users run it and writes `candidates.jsonl` into the dataset: a
line a tile with every box above the model's floor, and what it is by the labels: a vessel (IoU of COUNT_IOU or more
with it), an invention (it touches no vessel and nothing that is hidden), or neither, which is no evidence. Sets whose
labels are incomplete give no inventions: what lies there without a label may be a vessel. The val side is never mined.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.detector import Detector, load_detector
from edge.pipeline import scan
from edge.scene import SceneOptions, open_scene
from training.evaluate import PARTLY_LABELLED
from training.metrics import COUNT_IOU, Truth, judge
from training.steps import finish, progress, run_step, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.geometry import Floats

CANDIDATES = "candidates.jsonl"
TOUCHES_IOU = 0.05
"""A box that overlaps a vessel by more is not all wrong: no example of what is no vessel."""
NOTHING, NO_EVIDENCE = -1, -2
"""What a box may be beside the number of a labelled vessel of the tile."""


def sort_out(truth: Truth, corners: Floats, score: Floats, *, complete: bool) -> list[dict[str, Any]]:
    """Boxes (n, 4, 2) with scores (n,) against the labels; `is` is the vessel's number, NOTHING or NO_EVIDENCE."""
    judged = judge(truth, corners, score, np.full(len(score), 2))
    rows = []
    for quad, belief, iou, dropped in zip(
        judged.predicted.corners, judged.predicted.score, judged.iou, judged.dropped, strict=True
    ):
        best = int(iou.argmax()) if len(iou) else -1
        fit = float(iou[best]) if len(iou) else 0.0
        what = NO_EVIDENCE
        if fit >= COUNT_IOU:
            what = best
        elif complete and fit < TOUCHES_IOU and not dropped:
            what = NOTHING
        rows.append({"corners": np.round(quad, 2).ravel().tolist(), "score": round(float(belief), 4), "is": what})
    return rows


def tile_truth(row: dict[str, Any]) -> Truth:
    """Truth of one row of the dataset's index, px of the tile."""
    vessels = np.array(row["vessels"], np.float64).reshape(-1, 9)
    _, _, width, height = row["window"]
    return Truth(
        row["image"],
        row["source"],
        width,
        height,
        vessels[:, 1:].reshape(-1, 4, 2),
        vessels[:, 0].astype(np.int64),
        np.ones(len(vessels), bool),
        tuple(np.array(p, np.float64).reshape(-1, 2) for p in row["ignored"]),
        row["gsd_m"],
    )


def mine_tile(detector: Detector, dataset: Path, row: dict[str, Any]) -> dict[str, Any]:
    """The sorted candidates of one tile."""
    with open_scene(dataset / row["image"], SceneOptions(gsd_m=row["gsd_m"])) as scene:
        found = scan(scene, detector).candidates
    complete = row["source"] not in PARTLY_LABELLED
    return {
        "image": row["image"],
        "split": row["split"],
        "candidates": sort_out(tile_truth(row), found.corners, found.score, complete=complete),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.mine", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("runs/dataset"))
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    args = parser.parse_args(argv)
    detector = load_detector(args.model, "cpu")
    index = [json.loads(line) for line in (args.dataset / "index.jsonl").read_text().splitlines()]
    index = [row for row in index if row["split"] != "val"]
    mined = [mine_tile(detector, args.dataset, row) for row in progress(index, len(index), "mine", every_s=15)]
    write_atomic(args.dataset / CANDIDATES, "".join(json.dumps(m) + "\n" for m in mined))
    told = [c["is"] for m in mined for c in m["candidates"]]
    finish(
        step="mine",
        tiles=len(mined),
        vessels=sum(t >= 0 for t in told),
        inventions=sum(t == NOTHING for t in told),
        no_evidence=sum(t == NO_EVIDENCE for t in told),
    )
    return 0


if __name__ == "__main__":
    run_step(main)

"""The other way to tell kinds, for comparison: one network that finds and tells.

    python -m training.one_network --dataset runs/dataset --weights runs/vessel-n/last.pt --out runs/one

Three classes (tanker, other, unknown); a vessel of unknown kind trains neither of the first two, and one of known kind
not the third. Prints the tanker precision and recall on val boxes that the network finds, beside how many it finds.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from edge.detections import Kind
from edge.geometry import paired_iou, to_corners
from training.compose import Composer, TileRecord, read_index
from training.networks import load_network
from training.sources import read_picture
from training.steps import finish, progress, run_step
from training.train import Run, Settings, loader_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.geometry import Floats

FOUND_IOU = 0.5


class KnownKindsOnly(torch.nn.Module):
    """Binary cross-entropy (b, anchors, 3) in which an unknown kind is no evidence for or against a kind."""

    def forward(self, predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Loss of each anchor and class, zero where nothing is known."""
        loss = torch.nn.functional.binary_cross_entropy_with_logits(predicted, target, reduction="none")
        unknown = target[..., Kind.UNKNOWN :] > 0
        known = target[..., : Kind.UNKNOWN].sum(-1, keepdim=True) > 0
        mask = torch.cat([~unknown, ~unknown, ~known], -1)
        return loss * mask


class OneNetwork(Run):
    """A run in which the network learns kinds too."""

    classes = 3

    def __init__(self, settings: Settings, out: Path) -> None:
        """As a finder's run, with another loss of the classes."""
        super().__init__(settings, out)
        self.criterion.bce = KnownKindsOnly()

    def class_targets(self, data: dict[str, Any]) -> torch.Tensor:
        """The labelled kinds."""
        return data["kinds"].to(torch.float32)


def found_beliefs(network: Any, tile: TileRecord) -> list[tuple[bool, bool, float]]:
    """For each vessel of known kind on a tile: is it a tanker, is it found, belief in a tanker."""
    known = np.flatnonzero(tile.kinds != Kind.UNKNOWN)
    if len(known) == 0:
        return []
    pixels = read_picture(tile.image)[:, :, ::-1]
    size = [-(-s // 32) * 32 for s in pixels.shape[:2]]
    canvas = np.zeros((*size, 3), np.uint8)
    canvas[: pixels.shape[0], : pixels.shape[1]] = pixels
    with torch.no_grad():
        rows = network(torch.from_numpy(canvas.transpose(2, 0, 1)[None].copy()).float() / 255)[0][0].numpy().T
    rows = rows[rows[:, 4:7].max(1) > 0.25].astype(np.float64)  # noqa: PLR2004 - the finder's usual threshold
    corners: Floats = to_corners(rows[:, [0, 1, 2, 3, 7]])
    answers = []
    for i in known:
        iou = paired_iou(np.repeat(tile.corners[i][None], len(rows), 0), corners)
        best = int(np.argmax(np.where(iou >= FOUND_IOU, rows[:, 4:7].max(1), -1))) if len(rows) else -1
        found = best >= 0 and bool(iou[best] >= FOUND_IOU)
        tanker, other = (rows[best, 4], rows[best, 5]) if found else (0.0, 1.0)
        answers.append((bool(tile.kinds[i] == Kind.TANKER), found, float(tanker / (tanker + other))))
    return answers


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.one_network", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("runs/dataset"))
    parser.add_argument("--weights", type=Path, required=True, help="a finder's last.pt")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--lr", type=float, default=3e-4)
    args = parser.parse_args(argv)
    settings = Settings(weights=os.fspath(args.weights), steps=args.steps, learning_rate=args.lr, warmup_steps=50)
    described = json.loads((args.dataset / "dataset.json").read_text())
    weights = {s["name"]: s["weight"] for s in described["sources"]}
    run = OneNetwork(settings, args.out)
    composer = Composer(read_index(args.dataset, "train"), weights, settings.canvas_px, settings.seed)
    loader = loader_of(composer, settings, run.step)
    run.model.train()
    for data in progress(loader, len(loader), "one network", every_s=30):
        run.train_step(data)
    run.save()
    network = load_network(args.out / "last.pt")
    answers = [a for tile in read_index(args.dataset, "val") for a in found_beliefs(network, tile)]
    said = [a for a in answers if a[1] and a[2] >= 0.5]  # noqa: PLR2004 - the likelier kind
    right = sum(a[0] for a in said)
    tankers = sum(a[0] for a in answers)
    finish(
        step="one_network",
        vessels=len(answers),
        found=sum(a[1] for a in answers),
        tankers=tankers,
        precision=right / len(said) if said else None,
        recall=right / tankers if tankers else None,
    )
    return 0


if __name__ == "__main__":
    run_step(main)

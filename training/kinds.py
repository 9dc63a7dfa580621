"""Train the classifier that tells tankers from other vessels on crops turned along the vessel.

    python -m training.kinds --dataset runs/dataset --weights yolov8n-obb.pt --out runs/kinds

Evidence is real crops of vessels whose kind is known (unknown ones are no evidence and are left out) and rendered ones
(training.synthesis). A crop is cut by the runtime's own `aligned_chip`. Ships, not boxes, are drawn with equal chances,
since one tanker may lie in several pictures. Writes `kind.pt`, `kind.onnx` and `kinds.json`; goes on where an earlier
run ended.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from edge.detections import Kind
from edge.geometry import Floats, from_corners
from edge.kinds import aligned_chip
from training.export import export_graph
from training.looks import degrade, recolour
from training.networks import load_network
from training.sources import read_picture
from training.steps import finish, progress, run_step, sha256_of
from training.synth_chips import render_chip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

CHIP_PX = (192, 64)
LENGTH_SHARE = 0.8
MIN_LENGTH_PX = 14.0
"""Shorter vessels keep an unknown kind: 14 px are 40 m at 3 m/px."""
MARGIN = 0.75
"""How much of its length is kept round a vessel, for the jitter of the box."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One vessel of known kind, on a small picture of its own."""

    pixels: NDArray[np.uint8]
    """Shape (h, w, 3), RGB."""
    box: Floats
    """Shape (5,), xywhr px of the picture."""
    tanker: bool
    ship: str
    """Ship or picture it stands for: these are drawn with equal chances."""
    source: str


def real_examples(dataset: Path, split: str) -> list[Example]:
    """Vessels of known kind in the tiles of one split."""
    examples = []
    for line in (dataset / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        known = [v for v in row["vessels"] if v[0] != Kind.UNKNOWN]
        if row["split"] != split or not known:
            continue
        pixels = np.ascontiguousarray(read_picture(dataset / row["image"])[:, :, ::-1])
        for kind, *corners in known:
            box = from_corners(np.array(corners).reshape(1, 4, 2))[0]
            if box[2] >= MIN_LENGTH_PX:
                crop, local = _crop(pixels, box)
                examples.append(Example(crop, local, kind == Kind.TANKER, row["group"], row["source"]))
    return examples


def _crop(pixels: NDArray[np.uint8], box: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """The part of a picture round a box (5,), and the box in it."""
    reach = int(box[2] * MARGIN) + 4
    x0, y0 = max(0, int(box[0]) - reach), max(0, int(box[1]) - reach)
    crop = pixels[y0 : int(box[1]) + reach, x0 : int(box[0]) + reach].copy()
    return crop, box - [x0, y0, 0, 0, 0]


def folder_examples(folder: Path, kinds: dict[str, bool]) -> list[Example]:
    """Upright cut-outs of single ships, a sub-folder a class; `kinds` says which classes are tankers."""
    examples = []
    for name, tanker in kinds.items():
        for path in sorted((folder / name).glob("*.png")):
            pixels = np.ascontiguousarray(read_picture(path)[:, :, ::-1])
            height, width = pixels.shape[:2]
            box = from_corners(np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64))[0]
            examples.append(Example(pixels, box, tanker, path.stem, folder.name))
    return examples


def rendered_examples(number: int, seed: int) -> list[Example]:
    """Rendered vessels, half of them tankers."""
    rng = np.random.default_rng(seed)
    examples = []
    for i in progress(range(number), number, "rendering"):
        pixels, corners = render_chip(rng, Kind(i % 2))
        box = from_corners(np.asarray(corners)[None])[0]
        examples.append(Example(np.asarray(pixels, np.uint8), box, i % 2 == 0, f"rendered-{i}", "rendered"))
    return examples


class Drawer:
    """Draws training crops: kind first, then real or rendered, then the ship, then one of its pictures."""

    def __init__(self, examples: list[Example], rendered_share: float, seed: int) -> None:
        """Sort the examples by kind, by origin and by ship."""
        self._rng = np.random.default_rng(seed)
        self._rendered_share = rendered_share
        self._pools: dict[tuple[bool, bool], list[list[Example]]] = {}
        for tanker in (False, True):
            for rendered in (False, True):
                ships: dict[str, list[Example]] = defaultdict(list)
                for e in examples:
                    if e.tanker == tanker and (e.source == "rendered") == rendered:
                        ships[e.ship].append(e)
                self._pools[tanker, rendered] = [ships[k] for k in sorted(ships)]

    def draw(self) -> tuple[NDArray[np.uint8], float]:
        """One crop (h, w, 3) RGB and 1.0 for a tanker, 0.0 for another vessel."""
        rng = self._rng
        tanker = bool(rng.random() < 0.5)  # noqa: PLR2004 - both kinds alike
        rendered = bool(rng.random() < self._rendered_share)
        ships = self._pools[tanker, rendered] or self._pools[tanker, not rendered]
        ship = ships[rng.integers(len(ships))]
        return jittered_chip(rng, ship[rng.integers(len(ship))]), float(tanker)


def jittered_chip(rng: Generator, example: Example) -> NDArray[np.uint8]:
    """A crop as a detector's loose box would give it, on another day, to another sensor."""
    box = example.box.copy()
    box[:2] += rng.normal(0, 0.03, 2) * box[2]
    box[2] *= float(np.exp(rng.normal(0, 0.07)))
    box[4] += rng.normal(0, 0.06) + (np.pi if rng.random() < 0.5 else 0.0)  # noqa: PLR2004 - either end first
    pixels = example.pixels
    coarsest = min(6.0, box[2] / 22.0)
    if coarsest > 1.1 and rng.random() < 0.6:  # noqa: PLR2004 - vessels are told at 22 px and more
        factor = float(np.exp(rng.uniform(0, np.log(coarsest))))
        small = (max(4, round(pixels.shape[1] / factor)), max(4, round(pixels.shape[0] / factor)))
        pixels = np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8)
        box[:4] *= [small[0] / example.pixels.shape[1], small[1] / example.pixels.shape[0], 1 / factor, 1 / factor]
    chip = aligned_chip(pixels, box, CHIP_PX, LENGTH_SHARE)
    if rng.random() < 0.5:  # noqa: PLR2004 - port and starboard alike
        chip = np.ascontiguousarray(chip[::-1])
    return recolour(rng, degrade(rng, chip, min_vessel_px=40.0))


class Teller(torch.nn.Module):
    """The first stages of a detector's backbone, pooled: crops (n, h, w, 3) uint8 -> belief in a tanker (n,)."""

    def __init__(self, network: Any) -> None:
        """Take layers 0 to 6 (stride 16) of a YOLOv8-like network."""
        super().__init__()
        self.backbone = torch.nn.Sequential(*list(network.model[:7]))
        channels = 128
        self.drop = torch.nn.Dropout(0.3)
        self.head = torch.nn.Linear(2 * channels, 1)

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Crops (n, h, w, 3) uint8 -> logits (n,)."""
        x = self.backbone(pixels.permute(0, 3, 1, 2).float() / 255.0)
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        return self.head(self.drop(pooled)).squeeze(1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Crops -> belief (n,), 0 to 1."""
        return self.logits(pixels).sigmoid()


def train(model: Teller, drawer: Drawer, steps: int, batch: int, lr: float, path: Path) -> list[float]:
    """Train, or go on where `path` ends; returns the smoothed loss now and then."""
    for parameter in model.parameters():
        parameter.requires_grad_(requires_grad=True)
    slow = {"params": model.backbone.parameters(), "lr": lr * 0.3}
    fast = {"params": model.head.parameters(), "lr": lr}
    optimiser = torch.optim.AdamW([slow, fast], weight_decay=0.02)
    peaks = [g["lr"] for g in optimiser.param_groups]
    first, losses, mean = 0, [], 0.69
    if path.exists():
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        first = state["step"]
    model.train()
    for step in progress(range(first, steps), steps - first, "kinds", every_s=20):
        for group, peak in zip(optimiser.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 50) * (1 + math.cos(math.pi * step / steps)) / 2
        drawn = [drawer.draw() for _ in range(batch)]
        pixels = torch.from_numpy(np.stack([d[0] for d in drawn]))
        wanted = torch.tensor([d[1] for d in drawn]) * 0.96 + 0.02
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model.logits(pixels), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        mean = 0.97 * mean + 0.03 * float(loss.detach())
        if (step + 1) % 100 == 0 or step + 1 == steps:
            losses.append(round(mean, 4))
            torch.save({"model": model.state_dict(), "step": step + 1}, path)
    return losses


def beliefs(model: Teller, examples: Sequence[Example]) -> Floats:
    """Belief (n,) in a tanker, the mean over both ways round, as the runtime takes it."""
    model.eval()
    out = []
    with torch.no_grad():
        for e in examples:
            chip = aligned_chip(e.pixels, e.box, CHIP_PX, LENGTH_SHARE)
            both = torch.from_numpy(np.stack([chip, chip[::-1, ::-1]]))
            out.append(float(model(both).mean()))
    return np.array(out)


def judge(belief: Floats, examples: Sequence[Example], above: float) -> dict[str, Any]:
    """Precision and recall of tankers on labelled boxes, and how many ships stand behind them."""
    tanker = np.array([e.tanker for e in examples], bool)
    said = belief >= above
    return {
        "vessels": len(examples),
        "tankers": int(tanker.sum()),
        "tanker_ships": len({e.ship for e in examples if e.tanker}),
        "precision": float(tanker[said].mean()) if said.any() else None,
        "recall": float(said[tanker].mean()) if tanker.any() else None,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.kinds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("runs/dataset"))
    parser.add_argument("--weights", type=Path, required=True, help="network whose backbone to start from (YOLOv8)")
    parser.add_argument("--cutouts", type=Path, help="folder of upright cut-outs, a sub-folder a class")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--rendered", type=int, default=3000, help="rendered vessels")
    parser.add_argument("--rendered-share", type=float, default=0.4, help="share of the crops that is rendered")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    examples = real_examples(args.dataset, "train")
    if args.cutouts:
        # The two "bulk cargo" cut-outs look like small tankers: no evidence.
        others = {p.name: False for p in args.cutouts.iterdir() if p.is_dir() and p.name != "bulk_cargo_vessel"}
        examples += folder_examples(args.cutouts, {**others, "tanker": True})
    if args.rendered and args.rendered_share:
        examples += rendered_examples(args.rendered, args.seed)
    model = Teller(load_network(args.weights))
    drawer = Drawer(examples, args.rendered_share if args.rendered else 0.0, args.seed)
    losses = train(model, drawer, args.steps, args.batch, args.lr, args.out / "kind.pt")
    held = real_examples(args.dataset, "val")
    belief = beliefs(model, held)
    above, below = 0.5, 0.3  # the likelier kind is a tanker; "other" wants more certainty, and in between it is unknown
    by_source = {
        s: judge(belief[[e.source == s for e in held]], [e for e in held if e.source == s], above)
        for s in sorted({e.source for e in held})
    }
    export_graph(
        model.eval(),
        torch.zeros(2, CHIP_PX[1], CHIP_PX[0], 3, dtype=torch.uint8),
        args.out / "kind.onnx",
        {0: "batch"},
        {"task": "classify", "names": "{0: 'tanker'}", "license": "AGPL-3.0-or-later"},
    )
    summary = {
        "card": {
            "chip_px": list(CHIP_PX),
            "length_share": LENGTH_SHARE,
            "tanker_above": above,
            "other_below": below,
            "min_length_px": MIN_LENGTH_PX,
        },
        "steps": args.steps,
        "batch": args.batch,
        "learning_rate": args.lr,
        "seed": args.seed,
        "start_sha256": sha256_of(args.weights),
        "rendered": args.rendered,
        "rendered_share": args.rendered_share,
        "cutouts": args.cutouts.name if args.cutouts else None,
        "train_tanker_ships": len({e.ship for e in examples if e.tanker and e.source != "rendered"}),
        "loss": losses[-1] if losses else None,
        "val_on_labelled_boxes": {"all": judge(belief, held, above), **by_source},
    }
    (args.out / "kinds.json").write_text(json.dumps(summary, indent=1) + "\n")
    rows = [
        [e.source, e.ship, e.tanker, round(float(e.box[2])), round(float(b), 3)]
        for e, b in zip(held, belief, strict=True)
    ]
    (args.out / "val.json").write_text(json.dumps(rows) + "\n")
    finish(step="kinds", out=str(args.out), **summary["val_on_labelled_boxes"]["all"])
    return 0


if __name__ == "__main__":
    run_step(main)

"""Train the second look: on crops turned along a box, is a vessel there, and is it a tanker?

    python -m training.kinds --dataset runs/dataset --weights yolov8n-obb.pt --out runs/kinds

Evidence is real crops of labelled vessels (of unknown kind too: they are vessels), what training.mine found to be
none, rendered vessels (training.synthesis), and real hulls pasted onto other water. A crop is cut by the runtime's own
`aligned_chip`. Ships, not boxes, are drawn with equal chances, since one tanker may lie in several pictures. Writes
`kind.pt`, `kind.onnx` and `kinds.json`; goes on where an earlier run ended. What it is worth on ships that it never saw
is told by training.cross_validate.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from edge.detections import Kind
from edge.model_card import file_sha256
from training.examples import Example, cut_outs, inventions, labelled_vessels, pasted, rendered
from training.export import export_graph
from training.mine import CANDIDATES
from training.steps import finish, keep_settings, run_step
from training.teller import CHIP_PX, LENGTH_SHARE, Recipe, train
from training.telling import ABOVE

if TYPE_CHECKING:
    from collections.abc import Sequence

BELOW = 0.1
"""The kind "other" wants more certainty than a tanker does; in between the kind is unknown."""
MIN_LENGTH_PX = 24.0
"""Shorter vessels keep an unknown kind: from here on tankers reduced to that length are told well (LOG.md)."""


def add_evidence_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments that say what to learn from, and how."""
    parser.add_argument("--dataset", type=Path, default=Path("runs/dataset"))
    parser.add_argument("--weights", type=Path, required=True, help="network whose backbone to start from (YOLOv8)")
    parser.add_argument("--cutouts", type=Path, help="folder of upright cut-outs, a sub-folder a class")
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--lr", type=float, default=Recipe.learning_rate)
    parser.add_argument("--rendered", type=int, default=3000, help="rendered vessels")
    parser.add_argument(
        "--rendered-share", type=float, default=Recipe.rendered_share, help="share of the crops that is rendered"
    )
    parser.add_argument("--pasted", type=int, default=600, help="real hulls pasted onto other water")
    parser.add_argument("--no-real", action="store_true", help="rendered vessels only, for comparison")
    parser.add_argument("--no-bf16", action="store_true", help="train in float32")
    parser.add_argument("--seed", type=int, default=0)


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that the arguments ask for."""
    return Recipe(args.steps, args.batch, args.lr, args.rendered_share, args.seed, not args.no_bf16)


def real_evidence(args: argparse.Namespace) -> list[Example]:
    """All real crops of the train side."""
    examples = labelled_vessels(args.dataset, "train")
    if (args.dataset / CANDIDATES).exists():
        examples += inventions(args.dataset, "train")
    if args.cutouts:
        # The two "bulk cargo" cut-outs look like small tankers: no evidence of a kind.
        kinds = {p.name: Kind.OTHER for p in sorted(args.cutouts.iterdir()) if p.is_dir()}
        examples += cut_outs(args.cutouts, {**kinds, "tanker": Kind.TANKER, "bulk_cargo_vessel": Kind.UNKNOWN})
    return examples


def rendered_evidence(args: argparse.Namespace) -> list[Example]:
    """Rendered vessels."""
    return rendered(args.rendered, args.seed) if args.rendered and args.rendered_share else []


def pasted_evidence(args: argparse.Namespace, real: list[Example]) -> list[Example]:
    """Hulls of `real` on other water of `real`: all of it must be on the side that is learned from."""
    return pasted(real, args.pasted, args.seed) if args.pasted else []


def evidence_of(examples: list[Example]) -> dict[str, int]:
    """How many examples there are of each set."""
    return dict(sorted(Counter(e.source for e in examples).items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.kinds", description=(__doc__ or "").splitlines()[0])
    add_evidence_arguments(parser)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    real = real_evidence(args)
    examples = rendered_evidence(args)
    if not args.no_real:
        examples += real + pasted_evidence(args, real)
    keep_settings(args.out, {**asdict(recipe_of(args)), "evidence": evidence_of(examples)})
    model = train(args.weights, examples, recipe_of(args), args.out / "kind.pt", "kinds")
    export_graph(
        model,
        torch.zeros(2, CHIP_PX[1], CHIP_PX[0], 3, dtype=torch.uint8),
        args.out / "kind.onnx",
        {0: "batch"},
        {"task": "classify", "names": "{0: 'vessel', 1: 'tanker'}", "license": "AGPL-3.0-or-later"},
    )
    summary = {
        "card": {
            "chip_px": list(CHIP_PX),
            "length_share": LENGTH_SHARE,
            "tanker_above": ABOVE,
            "other_below": BELOW,
            "min_length_px": MIN_LENGTH_PX,
            "slope": 1.0,
            "offset": 0.0,
        },
        "recipe": asdict(recipe_of(args)),
        "start_sha256": file_sha256(args.weights),
        "rendered": args.rendered,
        "pasted": args.pasted,
        "cutouts": args.cutouts.name if args.cutouts else None,
        "tanker_ships": len({e.ship for e in real if e.tanker}),
        "tankers": sum(e.tanker for e in real),
        "others": sum(e.kind is Kind.OTHER for e in real),
        "unknown": sum(e.kind is Kind.UNKNOWN for e in real),
        "inventions": sum(e.kind is None for e in real),
    }
    (args.out / "kinds.json").write_text(json.dumps(summary, indent=1) + "\n")
    finish(step="kinds", out=str(args.out), **{k: v for k, v in summary.items() if k not in ("card", "recipe")})
    return 0


if __name__ == "__main__":
    run_step(main)

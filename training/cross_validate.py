"""How well are tankers told on ships that were never seen? Leave-ships-out cross-validation of the second look.

    python -m training.cross_validate --dataset runs/dataset --weights yolov8n-obb.pt --out runs/cross

All pictures that show a ship, and all that hang together with them by another ship, are held out together; networks
are trained on the rest by the recipe of training.kinds, and asked about what was held out. Rendered vessels are only
learned from; real hulls are pasted onto other water among what is learned from only. Platt's two numbers for a held-out
fold are fitted on the other folds. Bootstrap intervals draw ships, not boxes. `--final` also asks a network of
training.kinds about the val side. Writes `held-out.json` (a row a vessel) and `figures.json`; goes on where an earlier
run ended.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from training.examples import Example, components, labelled_vessels, reduced
from training.kinds import (
    add_evidence_arguments,
    evidence_of,
    pasted_evidence,
    real_evidence,
    recipe_of,
    rendered_evidence,
)
from training.networks import load_network
from training.steps import finish, keep_settings, progress, run_step, write_atomic
from training.teller import Teller, logits_of, train
from training.telling import WARSHIPS, figures

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTHS_PX = (12.0, 16.0, 20.0, 24.0, 32.0, 48.0, 64.0, 96.0)
"""Lengths to which crops of longer vessels are reduced, to see from which on a kind can be told."""


def folds_of(examples: Sequence[Example], number: int) -> dict[str, int]:
    """Group -> fold. Those that hang together by a ship share one; groups with tankers are dealt out evenly."""
    together = components(list(examples))
    tankers = sorted({together[e.group] for e in examples if e.tanker})
    others = sorted(set(together.values()) - set(tankers))
    fold = {name: i % number for i, name in enumerate(tankers)} | {name: i % number for i, name in enumerate(others)}
    return {group: fold[name] for group, name in together.items()}


def ask(model: Teller, examples: Sequence[Example], fold: str) -> list[dict[str, Any]]:
    """What a network says of vessels of known kind, as they are and reduced to shorter lengths."""
    rows = []
    for e in progress(examples, len(examples), f"asking {fold}", every_s=20):
        shorter = [length for length in LENGTHS_PX if e.box[2] >= 1.25 * length] if _merchant(e) else []
        seen = [e, *(_at_length(e, length) for length in shorter)]
        said = logits_of(model, seen)
        rows.append(
            {
                "fold": fold,
                "ship": e.ship,
                "group": e.group,
                "source": e.source,
                "kind": None if e.kind is None else int(e.kind),
                "length_px": round(float(e.box[2]), 1),
                "vessel": round(float(said[0, 0]), 4),
                "tanker": round(float(said[0, 1]), 4),
                "reduced": {f"{at:g}": round(float(row[1]), 4) for at, row in zip(shorter, said[1:], strict=True)},
            }
        )
    return rows


def _merchant(example: Example) -> bool:
    """Warships are so many, and so alike, that they are asked about once only."""
    return example.told and example.source != WARSHIPS


def _at_length(example: Example, length_px: float) -> Example:
    pixels, box = reduced(example.pixels, example.box, example.box[2] / length_px)
    return Example(pixels, box, example.kind, example.ship, example.group, example.source)


def run_fold(args: argparse.Namespace, number: int, real: list[Example], drawn: list[Example]) -> list[dict[str, Any]]:
    """Train without one fold and ask about it; the answers are kept."""
    path = args.out / f"fold-{number}.json"
    if path.exists():
        return list(json.loads(path.read_text()))
    fold = folds_of(real, args.folds)
    seen = [e for e in real if fold[e.group] != number]
    seen += drawn + pasted_evidence(args, seen)
    model = train(
        args.weights, seen, recipe_of(args), args.out / f"fold-{number}.pt", f"fold {number + 1} of {args.folds}"
    )
    held = [e for e in real if fold[e.group] == number and (e.told or e.kind is None)]
    rows = ask(model, held, str(number))
    write_atomic(path, json.dumps(rows) + "\n")
    return rows


def ask_final(weights: Path, final: Path, dataset: Path) -> list[dict[str, Any]]:
    """What the network of training.kinds says of the val side."""
    model = Teller(load_network(weights))
    model.load_state_dict(torch.load(final, weights_only=True)["model"])
    return ask(model.eval(), [e for e in labelled_vessels(dataset, "val") if e.told], "val")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(
        prog="python -m training.cross_validate", description=(__doc__ or "").splitlines()[0]
    )
    add_evidence_arguments(parser)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--final", type=Path, help="kind.pt of training.kinds, to be asked about the val side")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    real = real_evidence(args)
    drawn = rendered_evidence(args)
    said = {**asdict(recipe_of(args)), "folds": args.folds, "pasted": args.pasted, "no_real": args.no_real}
    keep_settings(args.out, {**said, "evidence": evidence_of(real + drawn)})
    if args.no_real:
        # What is learned from is made, what is asked about is real all the same.
        model = train(args.weights, drawn, recipe_of(args), args.out / "rendered.pt", "rendered only")
        rows = ask(model, [e for e in real if e.told], "0")
    else:
        rows = [row for number in range(args.folds) for row in run_fold(args, number, real, drawn)]
    if args.final:
        rows += ask_final(args.weights, args.final, args.dataset)
    write_atomic(args.out / "held-out.json", json.dumps(rows) + "\n")
    told = figures([r for r in rows if r["kind"] is not None], np.random.default_rng(args.seed))
    write_atomic(args.out / "figures.json", json.dumps(told, indent=1) + "\n")
    finish(step="cross_validate", out=str(args.out), **told["all"])
    return 0


if __name__ == "__main__":
    run_step(main)

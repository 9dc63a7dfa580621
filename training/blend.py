"""Blend a fine-tuned network with the one that it started from, weight by weight.

    python -m training.blend --run runs/mine --weights yolov8n-obb.pt --out runs/mine-blend

Fine-tuning on few sets makes a network better on pictures like theirs and worse on others; half of the way back keeps
most of the first and regains the second (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022). Writes
a run folder that training.export takes. What it is worth here is in LOG.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from edge.model_card import file_sha256
from training.networks import start_from
from training.steps import finish, run_step, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence


def blend(tuned: dict[str, Any], start: dict[str, Any], share: float) -> dict[str, Any]:
    """Tensors of the tuned network, moved towards those of the start: share x tuned + (1 - share) x start."""
    return {
        name: share * tuned[name].float() + (1 - share) * value if value.dtype.is_floating_point else value
        for name, value in start.items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.blend", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of training.train")
    parser.add_argument("--weights", type=Path, required=True, help="the starting weights of that run")
    parser.add_argument("--share", type=float, default=0.5, help="share of the tuned network, 0 to 1")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    summary = json.loads((args.run / "train.json").read_text())
    if summary["start_sha256"] != file_sha256(args.weights):
        parser.error(f"{args.weights} is not what {args.run} started from")
    network = start_from(args.weights, epochs=1).float().eval()
    tuned = torch.load(args.run / "state.pt", map_location="cpu", weights_only=False)["ema"]
    network.load_state_dict(blend(tuned, network.state_dict(), args.share))
    args.out.mkdir(parents=True, exist_ok=True)
    torch.save({"model": network, "train_args": dict(vars(network.args))}, args.out / "last.pt")
    write_atomic(args.out / "train.json", json.dumps({**summary, "blend_share": args.share}, indent=1) + "\n")
    if (args.run / "log.jsonl").exists():
        shutil.copy(args.run / "log.jsonl", args.out)
    finish(step="blend", out=str(args.out), share=args.share)
    return 0


if __name__ == "__main__":
    run_step(main)

"""Write the golden answers of a model: what it says of the sample scenes, now and from now on.

python -m training.golden --model models/vessel-n
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from edge.assets import samples_dir
from edge.detector import load_detector
from edge.golden import answer_to
from edge.model_card import GOLDEN
from training.steps import finish, run_step, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.golden", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    args = parser.parse_args(argv)
    detector = load_detector(args.model, "cpu")
    answers = {path.name: answer_to(detector, path) for path in sorted(samples_dir().glob("*.tif"))}
    write_atomic(args.model / GOLDEN, json.dumps(answers, indent=1) + "\n")
    finish(step="golden", model=detector.card.name, counts={k: v["counts"] for k, v in answers.items()})
    return 0


if __name__ == "__main__":
    run_step(main)

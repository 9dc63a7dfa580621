"""See what a model's counts and F1 do when pictures are turned, coarser, hazy, dark, or vessels lie at a quay.

    python -m training.robustness --model models/vessel-n --data ../shared/data --out runs/robustness

Writes robustness.json, which `training.evaluate --robustness` puts into its page, and ends with one JSON line. Pictures
that were scanned before with the same model are not scanned again. Sets that are labelled in part are left out unless
--only names them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.detector import load_detector
from edge.errors import UsageError
from training.evaluate import PARTLY_LABELLED, add_judging_arguments, gather_pictures
from training.robust_checks import CHECKS, Bench
from training.scans import Scanner
from training.steps import finish, run_step, write_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence


def chosen(names: str) -> list[str]:
    """The checks of a comma-separated list.

    Raises:
        UsageError: there is no such check.
    """
    some = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if unknown := [name for name in some if name not in CHECKS]:
        raise UsageError("--checks", f"there is no {', '.join(unknown)}", f"choose of {', '.join(CHECKS)}")
    return some


def headline(checks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The few figures of the JSON line."""
    out: dict[str, Any] = {}
    for row in checks.get("turns", {}).get("rows", []):
        if row["set"] == "all":
            out[f"{row['of']}_changed"] = row["any"]
    for name, key in (("gsd", "reduced_by"), ("place", "place"), ("light", "light")):
        if name in checks:
            out[f"f1_{key}"] = {str(r[key]): r["f1"] for r in checks[name]["rows"]}
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.robustness", description=(__doc__ or "").splitlines()[0])
    add_judging_arguments(parser)
    parser.add_argument("--checks", default=",".join(CHECKS), help="which checks, separated by commas (all)")
    parser.add_argument("--out", type=Path, default=Path("runs/robustness"), help="folder of what is written")
    args = parser.parse_args(argv)
    names = chosen(args.checks)
    detector = load_detector(args.model, "cpu")
    pictures = [
        p for p in gather_pictures(args, args.split) if p[1].source in args.only or p[1].source not in PARTLY_LABELLED
    ]
    if not pictures:
        raise UsageError(
            "--only/--data", "all sets are labelled in part", "name one with --only to take it all the same"
        )
    threshold = detector.card.score_threshold if args.conf is None else args.conf
    bench = Bench(Scanner(detector, args.out / "cache"), pictures, threshold)
    checks = {
        name: {"title": CHECKS[name].title, "note": CHECKS[name].note, "rows": CHECKS[name].run(bench)}
        for name in names
    }
    model = f"{detector.card.name} {detector.card.version}"
    content = {"model": model, "threshold": threshold, "pictures": len(pictures), "checks": checks}
    write_atomic(args.out / "robustness.json", json.dumps(content, indent=1) + "\n")
    finish(step="robustness", model=detector.card.name, pictures=len(pictures), **headline(checks))
    return 0


if __name__ == "__main__":
    run_step(main)

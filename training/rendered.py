"""Render labelled terminals for training: what real labels lack (jetties, rafted hulls, tank farms), never for val.

    python -m training.rendered --out runs/rendered --number 80

Writes a folder as `training.dataset --folder` takes it, with a `split.csv` that puts every picture on the train side.
The GSD differs from picture to picture, so the set is used as one of unknown GSD.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.sources import LICENCE_NOTE
from training.steps import finish, progress, run_step, write_atomic
from training.synthesis import render_scene

if TYPE_CHECKING:
    from collections.abc import Sequence

FIRST_SEED = 10_000
"""Far from the seeds of samples and tests."""
GSD_M = (0.6, 4.0)
SIZE_PX = (960, 760)


def render(number: int, out: Path) -> int:
    """Write picture number `number` and its labels; returns how many vessels it shows."""
    width, height = SIZE_PX
    gsd = float(np.exp(np.random.default_rng([FIRST_SEED, number]).uniform(*np.log(GSD_M))))
    scene = render_scene(FIRST_SEED + number, width, height, gsd)
    _, packed = cv2.imencode(".png", np.ascontiguousarray(scene.image[:, :, ::-1]))
    write_atomic(out / "images" / f"rendered-{number:04d}.png", packed.tobytes())
    lines = [
        f"{int(kind)} " + " ".join(f"{v:.6f}" for v in (corners / [width, height]).ravel())
        for kind, corners in zip(scene.kind, scene.corners, strict=True)
    ]
    write_atomic(out / "labels" / f"rendered-{number:04d}.txt", "\n".join(lines) + "\n")
    return len(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the step."""
    parser = argparse.ArgumentParser(prog="python -m training.rendered", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/rendered"))
    parser.add_argument("--number", type=int, default=80, help="pictures")
    args = parser.parse_args(argv)
    missing = [n for n in range(args.number) if not (args.out / "labels" / f"rendered-{n:04d}.txt").exists()]
    vessels = sum(render(n, args.out) for n in progress(missing, len(missing), "rendering"))
    write_atomic(args.out / LICENCE_NOTE, "rendered by this project, AGPL-3.0-or-later\n")
    rows = [f"rendered-{n:04d}.png,train,{n}" for n in range(args.number)]
    write_atomic(args.out / "split.csv", "\n".join(["image,split,group", *rows]) + "\n")
    finish(step="rendered", out=str(args.out), pictures=args.number, new=len(missing), new_vessels=vessels)
    return 0


if __name__ == "__main__":
    run_step(main)

"""The engine alone on the px of an archive: what `tanker-edge bulk` could reach if nothing else cost anything.

    python -m benchmarks.bulk_engine FOLDER --part 0/2

Pictures are decoded into memory, a group at a time, outside of the clock; then as many scans as the bulk run has under
way share as many threads. No reading, no hashing, no documents, no ledger.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.clock import Clock
from benchmarks.common import finish, headline, peak_rss_mb
from edge.bulk.scorer import SPARE
from edge.catalogue import DEFAULT_MODEL, find_model
from edge.detector import load_detector
from edge.pipeline import Hooks, ScanOptions, scan
from edge.scene_array import array_scene
from edge.session import cores
from edge.workers import FairPool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edge.detector import Detector

    Pixels = NDArray[np.uint8]

GROUP_PX = 300_000_000
"""In memory at once."""
WARM_UPS = 20


@dataclass(frozen=True, slots=True)
class Alone:
    """A model and the threads that run it."""

    detector: Detector
    pool: FairPool
    at_once: int

    def count(self, picture: Pixels) -> int:
        """Vessels of a picture (h, w, 3) RGB."""
        scene = array_scene("scene", picture)
        return len(scan(scene, self.detector, ScanOptions(), hooks=Hooks(lanes=self.pool.lane)).found)

    def group(self, pictures: Sequence[Pixels]) -> tuple[Clock, int]:
        """Count pictures side by side; the time that it took, and how many vessels there are."""
        with ThreadPoolExecutor(self.at_once) as scenes, Clock() as clock:
            vessels = sum(scenes.map(self.count, pictures))
        return clock, vessels


def groups(paths: Sequence[Path]) -> Iterator[list[Pixels]]:
    """Pictures, decoded, as many as memory is meant for."""
    held: list[Pixels] = []
    for path in paths:
        held.append(np.ascontiguousarray(np.asarray(cv2.imread(str(path)), np.uint8)[..., ::-1]))
        if sum(picture.size // 3 for picture in held) >= GROUP_PX:
            yield held
            held = []
    if held:
        yield held


def part_of(paths: Sequence[Path], told: str) -> list[Path]:
    """Every n-th path, from the i-th on, of "i/n"."""
    first, step = (int(word) for word in told.split("/"))
    return list(paths)[first::step]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk_engine", description=headline(__doc__))
    parser.add_argument("folder", type=Path, help="of the archive")
    parser.add_argument("--part", default="0/1", help="every n-th picture from the i-th on, as i/n (%(default)s)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--precision", default="fp32", help="precision of the network (%(default)s)")
    parser.add_argument("--provider", default="cpu", help="execution provider (%(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="workers (one a core)")
    args = parser.parse_args(argv)
    threads = args.threads or cores()
    detector = load_detector(find_model(args.model), args.provider, args.precision, args.threads)
    alone = Alone(detector, FairPool(threads), threads + SPARE)
    paths = part_of(sorted(args.folder.rglob("*.jpg")), args.part)
    for pictures in groups(paths[:WARM_UPS]):
        alone.group(pictures)
    seconds = busy = spent = 0.0
    vessels = pixels = 0
    for pictures in groups(paths):
        clock, found = alone.group(pictures)
        seconds, vessels, pixels = seconds + clock.wall_s, vessels + found, pixels + sum(p.size // 3 for p in pictures)
        busy, spent = busy + (clock.busy_s or 0.0), spent + clock.cpu_s
    alone.pool.close()
    return finish("bulk_engine", {
        "scenes": len(paths), "megapixels": round(pixels / 1e6, 3), "vessels": vessels, "seconds": round(seconds, 3),
        "mp_per_s": round(pixels / 1e6 / seconds, 3), "cpu_s": round(spent, 2),
        "foreign": round(max(busy - spent, 0) / (seconds * cores()), 4), "peak_rss_mb": peak_rss_mb(),
    })  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())

"""What the server's engine does a second without HTTP: the same scenes, the same lanes and threads, decoding included.

    python -m benchmarks.engine_alone --ask "/v1/count?gsd=1" tile.jpg 4 --ask "/v1/count" port.tif 1

A number of scenes is counted side by side, as the server does it, each kind alone and all of them mixed. The best of
several numbers side by side stands.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from benchmarks.common import finish, headline, table
from benchmarks.samples import mixed
from edge.catalogue import DEFAULT_MODEL, find_model
from edge.detector import load_detector
from edge.scene import scene_size
from edge.server.core import Core
from edge.server.routes_count import CountQuery
from edge.server.scoring import score
from edge.server.served import Served
from edge.server.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.common import Document

MIX = "mix"
WARM_UPS = 2


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene as the server would be asked to count it."""

    name: str
    path: Path
    query: CountQuery
    weight: int
    pixels: int


def scenes_of(told: Sequence[Sequence[str]]) -> list[Scene]:
    """Scenes of the command line: target, file, weight, as benchmarks.load has them."""
    scenes = []
    for target, file, weight in told:
        path = Path(file)
        width, height = scene_size(path)
        query = CountQuery.model_validate(dict(parse_qsl(urlsplit(target).query)))
        scenes.append(Scene(path.stem, path, query, int(weight), width * height))
    return scenes


class _Turns:
    """Scenes in turn, for several threads, until a time is over."""

    def __init__(self, scenes: Sequence[Scene], seconds: float) -> None:
        self.done: dict[str, int] = {scene.name: 0 for scene in scenes}
        self._order: Iterator[Scene] = mixed(scenes)
        self._lock = threading.Lock()
        self._end = time.perf_counter() + seconds

    def next(self) -> Scene | None:
        """The next one; None when time is over."""
        with self._lock:
            return next(self._order) if time.perf_counter() < self._end else None

    def count(self, scene: Scene) -> None:
        """One more is done."""
        with self._lock:
            self.done[scene.name] += 1


def count(core: Core, scene: Scene) -> None:
    """Count a scene, as a request does when its body has arrived."""
    score(scene.path, scene.query, core.work(threading.Event()))


def work(core: Core, scenes: Sequence[Scene], side_by_side: int, seconds: float) -> tuple[dict[str, int], float]:
    """Count scenes for a while; how many of each, and the seconds until the last one was done."""
    turns = _Turns(scenes, seconds)

    def one() -> None:
        while (scene := turns.next()) is not None:
            count(core, scene)
            turns.count(scene)

    begun = time.perf_counter()
    with ThreadPoolExecutor(side_by_side, thread_name_prefix="scan") as pool:
        for future in [pool.submit(one) for _ in range(side_by_side)]:
            future.result()
    return turns.done, time.perf_counter() - begun


def measure(core: Core, scenes: Sequence[Scene], side_by_side: int, seconds: float) -> list[Document]:
    """Rows: each kind alone, then all of them mixed."""
    groups = {scene.name: [scene] for scene in scenes} | ({MIX: list(scenes)} if len(scenes) > 1 else {})
    rows = []
    for name, group in groups.items():
        done, wall = work(core, group, side_by_side, seconds)
        pixels = sum(done[scene.name] * scene.pixels for scene in group)
        rows.append({
            "what": name,
            "side_by_side": side_by_side,
            "scenes": sum(done.values()),
            "done": done,
            "wall_s": round(wall, 2),
            "scenes_per_s": round(sum(done.values()) / wall, 4),
            "mp_per_s": round(pixels / 1e6 / wall, 3),
        })  # fmt: skip
    return rows


def best(rows: Sequence[Document]) -> dict[str, Document]:
    """Of each kind, and of the mix, the row with most scenes a second."""
    found: dict[str, Document] = {}
    for row in rows:
        if row["what"] not in found or row["scenes_per_s"] > found[row["what"]]["scenes_per_s"]:
            found[row["what"]] = row
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_alone", description=headline(__doc__))
    parser.add_argument(
        "--ask",
        nargs=3,
        action="append",
        required=True,
        metavar=("TARGET", "FILE", "WEIGHT"),
        help="a scene: the request that a client would send, its file, how many for how many of the others",
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--provider", default="cpu", help="execution provider (%(default)s)")
    parser.add_argument("--precision", default="fp32", help="precision of the network (%(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="workers (one a core)")
    parser.add_argument("--side-by-side", type=int, nargs="+", default=[2, 4], help="scenes at a time (2 4)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement (%(default)s)")
    args = parser.parse_args(argv)
    scenes = scenes_of(args.ask)
    model = find_model(args.model)
    with tempfile.TemporaryDirectory() as state:
        settings = Settings(state=Path(state), threads=args.threads)
        core = Core(
            settings, Served(lambda: load_detector(model, args.provider, args.precision, args.threads), lambda _: [])
        )
        try:
            for scene in scenes * WARM_UPS:
                count(core, scene)
            rows = [row for n in args.side_by_side for row in measure(core, scenes, n, args.seconds)]
        finally:
            core.close()
    print(table([{k: v for k, v in row.items() if k != "done"} for row in rows]))
    return finish("engine_alone", {"rows": rows, "best": best(rows), "cpu_s": round(time.process_time(), 2)})


if __name__ == "__main__":
    raise SystemExit(main())

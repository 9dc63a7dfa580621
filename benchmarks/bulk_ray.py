"""Two workers on a Ray cluster against one process with half of the cores: the same tiles, the same network.

    python -m benchmarks.bulk_ray --scenes 120

The cluster is one on this machine that `--engine ray` starts. The local engine runs bound to half of the cores, and
once more unbound, where its reading may use the other half too. Starting, loading and a warm-up do not count.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import rasterio

from benchmarks.archive import laid
from benchmarks.children import Run
from benchmarks.clock import foreign_share, machine_busy_s, process_busy_s
from benchmarks.common import TILE_PX, add_rounds, add_work, cores, finish, headline, machine, table
from benchmarks.rounds import interleave, summaries
from benchmarks.scenes import JPEG_QUALITY
from benchmarks.watch import process_tree
from edge.assets import samples_dir
from edge.bulk.engine_local import LocalEngine
from edge.bulk.engine_ray import RayEngine
from edge.bulk.entry import Place
from edge.bulk.ray_cluster import QUIET_ENVIRONMENT
from edge.bulk.scorer import Recipe
from edge.bulk.settings import Settings
from edge.bulk.task import Task
from edge.catalogue import DEFAULT_MODEL, find_model
from edge.scene import SceneOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from edge.bulk.task import Done

EDITION = 1
"""Part of the folder's name: to be raised where the pictures change."""
SCENES, WORKERS = 120, 2
GSD_M = 1.0
LOCAL, UNBOUND, RAY = "local, half of the cores", "local, unbound", "ray"
GOAL = 1.8


@dataclass(frozen=True, slots=True)
class Tiles:
    """The scenes that all sides score."""

    tasks: list[Task]
    pixels: int


def tiles_of(work: Path, number: int) -> Tiles:
    """Cut tiles out of the sample scene, each at another place and laid in another way; made once."""
    folder = work / f"ray-tiles-{TILE_PX}-{EDITION}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:04}.jpg" for i in range(number)]
    if not all(path.exists() for path in paths):
        with rasterio.open(samples_dir() / "synthetic-terminal.tif") as sample:
            picture = np.ascontiguousarray(sample.read()[::-1].transpose(1, 2, 0))
        rng = np.random.default_rng(EDITION)
        for i, path in enumerate(paths):
            y, x = (int(rng.integers(0, side - TILE_PX + 1)) for side in picture.shape[:2])
            tile = laid(picture[y : y + TILE_PX, x : x + TILE_PX], i)
            cv2.imwrite(str(path), tile, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    whole = [path.resolve() for path in paths]
    tasks = [Task(i, Place(str(path)), path.name, size=path.stat().st_size) for i, path in enumerate(whole, 1)]
    return Tiles(tasks, number * TILE_PX**2)


def run(engine: LocalEngine | RayEngine, tasks: Sequence[Task]) -> tuple[float, int]:
    """Score all; seconds, and vessels.

    Raises:
        RuntimeError: a scene failed.
    """
    begun = time.perf_counter()
    dones = list(engine.run(iter(tasks)))
    return time.perf_counter() - begun, sum(map(_vessels, dones))


def _vessels(done: Done) -> int:
    if done.document is None:
        raise RuntimeError(done.failure)
    return int(done.document["counts"]["vessel"])


def own_s() -> float:
    """Core seconds of this process and all that it started, as far as they live."""
    return sum(process_busy_s(pid) for pid in process_tree(os.getpid()))


def timed(work: Any) -> Run:  # noqa: ANN401 - a function that gives seconds and vessels
    """A run of a side, with what others did meanwhile."""
    busy, own = machine_busy_s(), own_s()
    seconds, vessels = work()
    spent, now = own_s() - own, machine_busy_s()
    foreign = None if busy is None or now is None else foreign_share(now - busy, spent, seconds, os.cpu_count() or 1)
    return Run(seconds, spent, foreign, None, np.zeros((vessels, 4, 2)), np.zeros(vessels), {"cpu_s": round(spent, 2)})


def serve(pipe: Connection, recipe: Recipe, bound: set[int]) -> None:
    """The local engine as a process of its own: bound to cores, it scores what it is sent."""
    os.sched_setaffinity(0, bound)
    begun = time.perf_counter()
    with closing(recipe.scorer()) as scorer:
        pipe.send(time.perf_counter() - begun)
        while tasks := pipe.recv():
            pipe.send(run(LocalEngine(scorer), tasks))


@contextmanager
def local(recipe: Recipe, bound: set[int]) -> Iterator[tuple[float, Any]]:
    """Seconds that loading takes in a process of its own, and a function that has it score tasks."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, recipe, bound))
    process.start()
    there.close()  # so that its death is the end of what is read here

    def ask(tasks: Sequence[Task]) -> tuple[float, int]:
        here.send(list(tasks))
        return here.recv()

    try:
        yield here.recv(), ask
    finally:
        here.send(None)
        process.join()


def measure(tiles: Tiles, recipe: Recipe, workers: int, turns: tuple[int, int]) -> dict[str, Any]:
    """All sides in turn; rows, ratios, and what starting takes."""
    allowed = sorted(os.sched_getaffinity(0))
    half = set(allowed[: max(1, len(allowed) // 2)])
    with ExitStack() as stack:
        begun = time.perf_counter()
        engine = stack.enter_context(closing(RayEngine(recipe, workers)))
        list(engine.run(iter(tiles.tasks[:1])))
        start = {"ray_s": round(time.perf_counter() - begun, 2)}
        sides = {RAY: lambda: timed(lambda: run(engine, tiles.tasks))}
        for name, bound in ((LOCAL, half), (UNBOUND, set(allowed))):
            load_s, ask = stack.enter_context(local(recipe, bound))
            start[f"{name}_s"] = round(load_s, 2)
            sides[name] = lambda ask=ask: timed(lambda: ask(tiles.tasks))
        out = interleave(sides, *turns)
    rows = summaries(out, tiles.pixels, LOCAL)
    return {
        "ratio": out.ratio(RAY, LOCAL),
        "ratio_unbound": out.ratio(RAY, UNBOUND),
        "goal": GOAL,
        "same_vessels": len({row["boxes"] for row in rows}) == 1,
        "start": start,
        "rows": rows,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk_ray", description=headline(__doc__))
    add_work(parser)
    add_rounds(parser)
    parser.add_argument("--scenes", type=int, default=SCENES, help="tiles in a run (%(default)s)")
    parser.add_argument("--workers", type=int, default=WORKERS, help="on the cluster (%(default)s)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--provider", default="cpu", help="execution provider (%(default)s)")
    parser.add_argument("--precision", default="fp32", help="precision of the network (%(default)s)")
    args = parser.parse_args(argv)
    os.environ.update(QUIET_ENVIRONMENT)
    threads = max(1, cores() // args.workers)
    settings = Settings(reading=SceneOptions(gsd_m=GSD_M))
    recipe = Recipe(find_model(args.model).resolve(), settings, args.provider, args.precision, threads)
    tiles = tiles_of(args.work, args.scenes)
    document = measure(tiles, recipe, args.workers, (args.rounds, args.repeats))
    print(table(document["rows"]))
    told = {"scenes": args.scenes, "workers": args.workers, "threads_each": threads}
    return finish("bulk_ray", {"machine": machine(), **told, **document})


if __name__ == "__main__":
    raise SystemExit(main())

"""What so many scenes a minute need: cores, nodes, network, and where the driver's limit is; checked by a simulation.

    python -m benchmarks.cluster --rate 1000

Core seconds, bytes and documents of a small and of a large scene are measured on this machine, and the rest is
calculated. Then a cluster of that size is simulated here: nodes and workers of Ray, the driver, the ledger and what
travels between them are real, but a worker sleeps for as long as a core would have worked (benchmarks.pretend). One
node is more than needed, and one is taken away in mid-run. To be done sooner, scenes may take a part of their time on
the same part of the cores: as many of them a minute, as much work for the driver.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bulk_ray import GSD_M, tiles_of
from benchmarks.cluster_run import Simulation
from benchmarks.common import SIDE_PX, add_work, finish, headline, machine, peak_rss_mb, say, table
from benchmarks.pretend import PretendRecipe
from benchmarks.scenes import scene_file
from edge.bulk.entry import Place
from edge.bulk.ray_cluster import QUIET_ENVIRONMENT
from edge.bulk.ray_worker import pack
from edge.bulk.scorer import Recipe
from edge.bulk.settings import Settings
from edge.bulk.task import Done, Task
from edge.catalogue import DEFAULT_MODEL, find_model
from edge.scene import SceneOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cluster_run import Driver
    from edge.bulk.scorer import Scorer

RATE = 1000.0
TILES, WARM_UPS = 24, 4
MINUTE_S, DAY_MIN = 60, 24 * 60


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of scene."""

    name: str
    core_s: float
    """Core seconds, from the file to the document."""
    megabytes: float
    """Of its file: what comes from the store, where it is not read in part."""
    document: dict[str, Any]
    px: int

    @property
    def answer_kb(self) -> float:
        """What goes to the driver."""
        return len(pack(Done(1, "0" * 64, self.document))) / 1e3

    def recipe(self, folder: Path, share: float, threads: int = 1) -> PretendRecipe:
        """Workers that pretend to score this kind, in so many times its seconds; the folder keeps the answer."""
        answer = folder / f"{self.name}.json"
        answer.write_text(json.dumps(self.document), encoding="utf-8")
        return PretendRecipe(self.core_s * share, answer, self.px, threads)


@dataclass(frozen=True, slots=True)
class Machines:
    """What the nodes are like."""

    cores: int
    """Of a node."""
    threads: int
    """Of a worker; each has a process, and a model in memory."""
    efficiency: float
    """Share of a core's time that goes into scenes: what `benchmarks.bulk_ray` measures, ratio over workers."""


def measured(work: Path, model: str, side: int) -> list[Kind]:
    """The two kinds, counted on this machine by one thread."""
    settings = Settings(reading=SceneOptions(gsd_m=GSD_M))
    small = tiles_of(work, TILES).tasks
    path = scene_file(work, "jpeg", side).resolve()
    large = [Task(1, Place(str(path)), path.name, size=path.stat().st_size)]
    with closing(Recipe(find_model(model).resolve(), settings, threads=1).scorer()) as scorer:
        _kind("warm-up", scorer, small[:WARM_UPS])
        return [_kind("small", scorer, small), _kind("large", scorer, large)]


def _kind(name: str, scorer: Scorer, tasks: Sequence[Task]) -> Kind:
    """Score scenes of a kind one after the other."""
    say(f"measuring {name} scenes")
    begun = time.process_time()
    dones = [scorer.score(task) for task in tasks]
    core_s = (time.process_time() - begun) / len(tasks)
    if any(done.document is None for done in dones):
        raise RuntimeError([done.failure for done in dones])
    longest: dict[str, Any] = max((done.document or {} for done in dones), key=lambda d: len(json.dumps(d)))
    megabytes = sum(Path(task.place.base).stat().st_size for task in tasks) / len(tasks) / 1e6
    return Kind(name, core_s, megabytes, longest, dones[0].px)


def needs(kind: Kind, rate: float, machines: Machines) -> dict[str, Any]:
    """What a rate, in scenes a minute, asks of a cluster, without the driver.

    Cores: rate x core seconds / efficiency. A node is taken in whole, and one more is there for the one that fails.
    """
    a_second = rate / MINUTE_S
    cores = a_second * kind.core_s / machines.efficiency
    nodes = math.ceil(cores / machines.cores)
    return {
        "kind": kind.name,
        "core_s": round(kind.core_s, 3),
        "cores": round(cores, 1),
        "nodes": nodes + 1,
        "workers": (nodes + 1) * (machines.cores // machines.threads),
        "store_gbit_s": round(a_second * kind.megabytes * 8 / 1e3, 3),
        "node_gbit_s": round(a_second * kind.megabytes * 8 / 1e3 / nodes, 3),
        "driver_mbit_s": round(a_second * kind.answer_kb * 8 / 1e3, 3),
    }


def with_driver(row: dict[str, Any], rate: float, driver: Driver) -> dict[str, Any]:
    """The same, and how much of the driver it takes."""
    return {
        **row,
        "driver_ms": driver.thread_ms,
        "driver_limit_per_min": driver.limit,
        "driver_share": round(rate / driver.limit, 3),
        "ledger_gb_a_day": round(rate * DAY_MIN * driver.ledger_kb / 1e6, 2),
    }


def told(rows: Sequence[dict[str, Any]], rate: float, machines: Machines) -> str:
    """The calculation as text."""
    head = f"{rate:g} scenes a minute, nodes of {machines.cores} cores, efficiency {machines.efficiency:g}:"
    return "\n".join([head, *(_line(row, rate, machines) for row in rows)])


def _line(row: dict[str, Any], rate: float, machines: Machines) -> str:
    """That of one kind."""
    parts = [
        f"- {row['kind']}: {rate:g} / 60 x {row['core_s']} core s / {machines.efficiency:g} = {row['cores']} cores:",
        f"{row['nodes'] - 1} node(s), and one to spare.",
        f"The store gives {row['store_gbit_s']} Gbit/s, each node takes {row['node_gbit_s']}.",
        f"The driver takes in {row['driver_mbit_s']} Mbit/s and needs {row['driver_ms']} ms of a core for a scene;",
        f"it could do {row['driver_limit_per_min']} a minute, of which {100 * row['driver_share']:.1f} % are used, and",
        f"its ledger grows by {row['ledger_gb_a_day']} GB a day.",
    ]
    return " ".join(parts)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, calculate, simulate; print tables, the calculation and a JSON line."""
    args = _parser().parse_args(argv)
    os.environ.update(QUIET_ENVIRONMENT)
    machines = Machines(args.node_cores, args.threads or args.node_cores, args.efficiency)
    kinds = measured(args.work, args.model, args.side)
    for i, given in enumerate((args.tile_core_s, args.scene_core_s)):
        kinds[i] = kinds[i] if given is None else replace(kinds[i], core_s=given)
    rss, large = peak_rss_mb(), needs(kinds[1], args.rate, machines)
    say(f"starting {large['nodes']} nodes")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        simulation = stack.enter_context(closing(Simulation(large["nodes"], max(1, args.node_cores // args.shrink))))
        drivers = [simulation.flood(kind.recipe(folder, 0), args.flood) for kind in kinds]
        share, threads = 1 / args.efficiency / args.shrink, max(1, machines.threads // args.shrink)
        seen = simulation.lose_a_node(kinds[1].recipe(folder, share, threads), args.phase)
    rows = [
        with_driver(needs(kind, args.rate, machines), args.rate, driver)
        for kind, driver in zip(kinds, drivers, strict=True)
    ]
    text = told(rows, args.rate, machines)
    print(table(rows), text, table([seen]), sep="\n\n")
    return finish("cluster", {
        "machine": machine(), "rate": args.rate, "node_cores": args.node_cores, "threads": machines.threads,
        "efficiency": args.efficiency, "worker_rss_mb": rss, "kinds": rows, "calculation": text,
        "simulated": {"shrink": args.shrink, **seen},
    })  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=headline(__doc__))
    add_work(parser)
    parser.add_argument("--rate", type=float, default=RATE, help="scenes a minute (%(default)g)")
    parser.add_argument("--tile-core-s", type=float, help="core seconds of a small scene (measured)")
    parser.add_argument("--scene-core-s", type=float, help="core seconds of a large scene (measured)")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="px of the large scene (%(default)s)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--node-cores", type=int, default=64, help="cores of a node (%(default)s)")
    parser.add_argument("--threads", type=int, help="threads of a worker (one worker a node, with all its cores)")
    parser.add_argument("--efficiency", type=float, default=0.9, help="share of a core that scenes get (%(default)s)")
    parser.add_argument(
        "--shrink", type=int, default=4, help="part of seconds and cores to simulate, 1/N (%(default)s)"
    )
    parser.add_argument("--phase", type=float, default=30.0, help="seconds with each number of nodes (%(default)s)")
    parser.add_argument("--flood", type=int, default=500, help="scenes without work, for the limit (%(default)s)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

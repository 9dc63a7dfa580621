"""A simulated cluster at work: real nodes, driver and ledger, workers that pretend; a node is taken away in mid-run."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import pretend
from benchmarks.common import say
from edge.bulk.engine_ray import RayEngine
from edge.bulk.entry import Entry, Place
from edge.bulk.ledger import Ledger
from edge.bulk.progress import Quiet
from edge.bulk.run import Scoring

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.pretend import PretendRecipe
    from edge.bulk.progress import Tallied
    from edge.bulk.task import Done, Task

NODE = {"include_dashboard": False, "object_store_memory": 100 * 2**20}
SETTLE = 2.0
"""Times a scene's seconds after which a change has worked its way through."""
FLOOD_WORKERS = 2
START_S = 300


@dataclass(frozen=True, slots=True)
class Driver:
    """What a scene costs the driver."""

    limit: int
    """Scenes a minute that it could do at most, with workers that have nothing to do, on the same machine."""
    thread_ms: float
    """Core milliseconds of the thread that claims, hands out, takes in and keeps."""
    ledger_kb: float
    """By which the ledger grows."""


class Counting(Quiet):
    """Notes when scenes end, and does something once."""

    def __init__(self, after_s: float = 0.0, do: threading.Thread | None = None) -> None:
        """Nothing has ended yet; start a thread so many seconds after the first scene has."""
        self.ended_at: list[float] = []
        self.again = 0
        """Scenes that were lost with their worker."""
        self.did_at: float | None = None
        self._after, self._do = after_s, do

    def ended(self, task: Task, done: Done, so_far: Tallied, left: int) -> None:  # noqa: ARG002 - as all watchers
        """One more."""
        now = time.monotonic()
        self.ended_at.append(now)
        self.again += done.tries > 1
        if self._do is not None and self.did_at is None and now > self.ended_at[0] + self._after:
            self.did_at = now
            self._do.start()

    def rate(self, begin: float, end: float) -> float | None:
        """Scenes a minute between two moments; None where there was no time between them."""
        seen = sum(begin <= at < end for at in self.ended_at)
        return round(60 * seen / (end - begin), 1) if end > begin else None


@dataclass(slots=True)
class Spent:
    """Seconds of the driver's one thread."""

    cpu_s: float = 0.0
    ledger_s: float = 0.0
    process_s: float = 0.0
    wall_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    ledger_bytes: int = 0
    scenes: int = 0


class TimedLedger(Ledger):
    """Notes how long it is at work."""

    spent_s = 0.0

    @contextmanager
    def _timed(self) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.spent_s += time.perf_counter() - begun

    def claim(self, most: int) -> list[Task]:
        """As Ledger does."""
        with self._timed():
            return super().claim(most)

    def finish(self, dones: Sequence[Done]) -> None:
        """As Ledger does."""
        with self._timed():
            super().finish(dones)

    def left(self) -> int:
        """As Ledger does."""
        with self._timed():
            return super().left()


def score(recipe: PretendRecipe, scenes: int, watcher: Counting, workers: int | None = None) -> Spent:
    """A whole run of so many scenes, listed, claimed, handed out, answered and kept; and what the ledger says then."""
    spent = Spent(scenes=scenes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite"
        with TimedLedger(path, recipe.run_key()) as ledger, closing(RayEngine(recipe, workers)) as engine:
            ledger.add(Entry(Place(f"pretend://store/{i:07}.tif"), f"{i:07}.tif") for i in range(scenes))
            ledger.spent_s = 0.0
            thread, process, wall = time.thread_time(), time.process_time(), time.perf_counter()
            Scoring(ledger, engine, watcher).run()
            spent.cpu_s, spent.process_s = time.thread_time() - thread, time.process_time() - process
            spent.wall_s, spent.ledger_s = time.perf_counter() - wall, ledger.spent_s
            spent.counts = Counter(row.state for row in ledger.rows())
        spent.ledger_bytes = path.stat().st_size
    return spent


class Simulation:
    """A head, on which the driver runs and no worker, and nodes."""

    def __init__(self, nodes: int, node_cores: int) -> None:
        """Start it; nothing is computed on its cores."""
        import ray  # noqa: PLC0415 - an extra
        from ray.cluster_utils import Cluster  # noqa: PLC0415 - likewise

        ray.cloudpickle.register_pickle_by_value(pretend)
        self._cores = node_cores
        with ExitStack() as stack:
            self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **NODE})
            stack.callback(self._cluster.shutdown)
            ray.init(address=self._cluster.address, log_to_driver=False, logging_level=logging.ERROR)
            stack.callback(ray.shutdown)
            self._nodes = [self._cluster.add_node(num_cpus=node_cores, wait=False, **NODE) for _ in range(nodes)]
            self._cluster.wait_for_nodes(timeout=START_S)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End it."""
        self._stack.close()

    def flood(self, recipe: PretendRecipe, scenes: int) -> Driver:
        """What scenes cost the driver, seen at scenes of no work at all."""
        say(f"{scenes} scenes without work")
        watcher = Counting()
        spent = score(replace(recipe, seconds=0.0), scenes, watcher, FLOOD_WORKERS)
        took = watcher.ended_at[-1] - watcher.ended_at[0]
        return Driver(
            round(60 * (scenes - 1) / took),
            round(1000 * spent.cpu_s / scenes, 3),
            round(spent.ledger_bytes / scenes / 1e3, 3),
        )

    def lose_a_node(self, recipe: PretendRecipe, phase_s: float) -> dict[str, Any]:
        """Run as many scenes as all nodes do in one phase and one node less in another; what was seen."""
        nodes, settled = len(self._nodes), SETTLE * recipe.seconds
        node_s = nodes * (settled + phase_s) + (nodes - 1) * (2 * settled + phase_s)
        scenes = round(self._cores / recipe.seconds * node_s)
        say(f"{scenes} scenes of {recipe.seconds:.1f} s on {nodes} nodes, of which one leaves")
        remove = {
            "target": self._cluster.remove_node,
            "args": (self._nodes.pop(),),
            "kwargs": {"allow_graceful": False},
        }
        leaving = threading.Thread(**remove)
        seen = Counting(settled + phase_s, leaving)
        spent = score(recipe, scenes, seen)
        if seen.did_at is not None:
            leaving.join()
        a_minute = 60 * self._cores / recipe.seconds
        calculated = {"all_nodes": round(nodes * a_minute, 1), "one_less": round((nodes - 1) * a_minute, 1)}
        return {"calculated_per_min": calculated, **_seen(spent, seen, settled)}


def _seen(spent: Spent, seen: Counting, settled: float) -> dict[str, Any]:
    """What was seen, in figures."""
    first, gone = seen.ended_at[0], seen.did_at or seen.ended_at[-1]
    last = seen.ended_at[-1] - settled  # from here on some workers have nothing more to do
    rates = {"all_nodes": seen.rate(first + settled, gone), "one_less": seen.rate(gone + settled, last)}
    return {
        "seen_per_min": rates,
        "scenes": spent.scenes,
        "in_ledger": dict(spent.counts),
        "nothing_lost": spent.counts == {"done": spent.scenes} and len(seen.ended_at) == spent.scenes,
        "done_again": seen.again,
        "driver_cpu": round(spent.process_s / spent.wall_s, 3),
        "driver_ms": round(1000 * spent.process_s / spent.scenes, 3),
        "ledger_ms": round(1000 * spent.ledger_s / spent.scenes, 3),
    }

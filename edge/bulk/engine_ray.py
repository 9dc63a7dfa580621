"""Tasks through a Ray cluster: one model a worker, each in a process of its own, on as many machines as there are.

The ledger stays with the process that runs this: workers read scenes and answer with documents, and write nothing. A
task that was lost with its worker is done again by another, and only one answer of it is ever taken.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edge.bulk.ray_cluster import joined, nodes_of, places
from edge.bulk.ray_crew import Crew
from edge.errors import UsageError
from edge.session import cores

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from edge.bulk.ray_worker import MakesScorer
    from edge.bulk.task import Done, Task


class RayEngine:
    """Scores on a cluster, which is joined or started at the first task and left by `close`."""

    def __init__(self, recipe: MakesScorer, workers: int | None = None, address: str | None = None) -> None:
        """Only check; see `edge.bulk.ray_cluster`.

        Args:
            recipe: what each worker loads, an `edge.bulk.scorer.Recipe`. Its files must be there on every node.
            workers: None for as many as the cluster has room for. Workers without room wait for nodes that join.
            address: of the cluster, "auto" or host:port; None starts one on this machine.

        Raises:
            UsageError: the number of workers makes no sense.
        """
        if workers is not None and workers < 1:
            raise UsageError("--ray-workers", f"{workers} can do nothing", "give 1 or more")
        self._recipe, self._workers, self._address = recipe, workers, address
        self._open = ExitStack()
        self._crew: Crew | None = None

    def run(self, tasks: Iterator[Task]) -> Generator[Done, None, None]:
        """Dones in the order in which they are done.

        No more tasks are pulled than workers have room for. Workers stay, with their models, for the next run; where
        this one is ended early, they are ended too.

        Raises:
            UsageError: there is no ray, no such cluster, or no room on it.
            ModelError: a worker cannot load the model; so for ProviderError.
        """
        try:
            crew = self._crew = self._crew or self._hire()
            while crew.hand_out(tasks) or crew.busy:
                yield from crew.answers()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the workers, and the cluster where it was started here."""
        self._crew = None
        self._open.close()

    def _hire(self) -> Crew:
        recipe: Any = self._recipe
        ray = self._open.enter_context(joined(self._address, self._cpus_here()))
        found = places(nodes_of(ray), recipe.provider, recipe.threads, self._workers)
        crew = Crew(ray, replace(recipe, threads=found.threads), found)
        self._open.callback(crew.close)
        return crew

    def _cpus_here(self) -> int:
        """CPUs of a cluster that is started here: its workers are given room, however many are asked for."""
        return max(cores(), (self._workers or 1) * self._recipe.threads)

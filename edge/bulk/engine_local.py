"""Tasks through one Scorer in this process: a few scenes side by side, no more pulled than are under way."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from edge.bulk.scorer import Known, Scorer
    from edge.bulk.task import Done, Task


class LocalEngine:
    """Scores on the threads of this process."""

    def __init__(self, scorer: Scorer, known: Known | None = None) -> None:
        """Score by a Scorer, which stays the caller's to close; `known` tells what need not be scored."""
        self._scorer, self._known = scorer, known

    def run(self, tasks: Iterator[Task]) -> Generator[Done, None, None]:
        """Dones in the order in which they are done.

        Raises:
            ProviderError: the network failed; so for a ModelError and a StoppedError. What runs is ended.
        """
        under_way: set[Future[Done]] = set()
        pool = ThreadPoolExecutor(self._scorer.at_once, thread_name_prefix="scene")
        try:
            more = True
            while more or under_way:
                while more and len(under_way) < self._scorer.at_once:
                    task = next(tasks, None)
                    if task is None:
                        more = False
                    else:
                        under_way.add(pool.submit(self._scorer.score, task, self._known))
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED) if under_way else (set(), under_way)
                for future in done:
                    yield future.result()
        except BaseException:
            self._scorer.stop()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

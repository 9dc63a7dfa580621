"""A run: list, score what the ledger does not know, write the outputs from the ledger."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from edge.bulk.progress import Tallied

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from edge.bulk.entry import Entry
    from edge.bulk.ledger import Ledger
    from edge.bulk.progress import Watcher
    from edge.bulk.task import Done, Task

CLAIMED_AT_ONCE = 4
"""Scenes: few, so that processes that share a ledger end at about the same time."""
LISTED_AT_ONCE = 1000
POLL_S = 0.5
"""Between looks at what other processes have left."""


class Engine(Protocol):
    """Scores tasks somewhere."""

    def run(self, tasks: Iterator[Task]) -> Generator[Done, None, None]:
        """Dones in the order in which they are done; pulls no more tasks than it can work on."""


@dataclass(slots=True)
class Scoring:
    """Scores what a ledger has waiting, until nothing is left of it anywhere."""

    ledger: Ledger
    engine: Engine
    watcher: Watcher
    max_failures: int | None = None
    """Scenes that may fail, or be left in part, before the run is ended; None for any number."""
    tallied: Tallied = field(default_factory=Tallied)
    stopped: bool = False
    """Whether `max_failures` ended it."""
    _under_way: dict[int, Task] = field(default_factory=dict)

    def run(self) -> Tallied:
        """Score; what this process has done.

        Raises:
            ModelError: the model failed; so for ProviderError and OutputError. What was done until then is kept.
        """
        begun = time.monotonic()
        while True:
            self._score()
            left = 0 if self.stopped else self.ledger.left()
            if not left:
                break
            self.watcher.waiting(left)
            time.sleep(POLL_S)  # others have it; if they die, the next claim has it
        self.tallied.seconds = time.monotonic() - begun
        return self.tallied

    def _score(self) -> None:
        """Score all that can be claimed now."""
        first = next(tasks := self._tasks(), None)
        if first is None:
            return
        with closing(self.engine.run(chain([first], tasks))) as dones:
            for done in dones:
                self.ledger.finish([done])
                self.tallied.add(done)
                self.watcher.ended(self._under_way.pop(done.number), done, self.tallied, self.ledger.left())
                if self.max_failures is not None and self.tallied.failed + self.tallied.partial > self.max_failures:
                    self.stopped = True
                    return

    def _tasks(self) -> Iterator[Task]:
        """Claims, a few at a time."""
        while claimed := self.ledger.claim(CLAIMED_AT_ONCE):
            for task in claimed:
                self._under_way[task.number] = task
                yield task


def counted(entries: Iterable[Entry], watcher: Watcher) -> Iterator[Entry]:
    """The same entries, whose number is told now and then."""
    number = 0
    for number, entry in enumerate(entries, 1):
        if number % LISTED_AT_ONCE == 0:
            watcher.listed(number)
        yield entry
    watcher.listed(number)

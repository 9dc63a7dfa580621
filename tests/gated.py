"""A scorer without a model, for tests of who scores what: it can be held, and it can die."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge.bulk.task import Done
from edge.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bulk.task import Task


@dataclass(frozen=True, slots=True)
class GatedRecipe:
    """Makes scorers that leave files in a folder."""

    folder: Path
    threads: int = 1
    provider: str = "cpu"
    tries: int = 3
    fault: Literal["dies", "model", "other"] | None = None
    """What happens when a worker loads it: the process dies, it is no model, or another one than the driver has."""

    def run_key(self) -> str:
        """Another one in each process, where that is its fault."""
        return str(os.getpid() if self.fault == "other" else 0)

    def scorer(self) -> GatedScorer:
        mark(self.folder, "load")
        if self.fault == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "model":
            raise ModelError(self.folder, "is no model", "give one")
        return GatedScorer(self)


class GatedScorer:
    """`held` scenes end when there is a file `open`; `deadly` ones take the process with them."""

    def __init__(self, recipe: GatedRecipe) -> None:
        self.folder, self.at_once = recipe.folder, recipe.threads + 1

    def score(self, task: Task) -> Done:
        mark(self.folder, f"score-{task.number}")
        if task.name == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        while task.name == "held" and not (self.folder / "open").exists():
            time.sleep(0.01)
        return Done(task.number, content=str(task.number), document={"pid": os.getpid()})


def mark(folder: Path, name: str) -> None:
    """Leave a file that says which process did it."""
    part = folder / f"part-{name}-{time.monotonic_ns()}"
    part.write_text(str(os.getpid()))
    part.rename(folder / part.name.removeprefix("part-"))


def marks(folder: Path, name: str) -> list[int]:
    """Process ids of those that did it, in order."""
    found = sorted(folder.glob(f"{name}-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    return [int(path.read_text()) for path in found]

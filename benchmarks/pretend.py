"""A scorer that takes as long as a scene would and answers as it would, but computes nothing: for simulated clusters.

It has as many threads as it is told, each busy with a scene for so many seconds; what is more waits, as in a real one.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.bulk.task import Done, Task

if TYPE_CHECKING:
    from pathlib import Path

SPARE = 2
"""As in edge.bulk.scorer, which would bring along all that a real worker needs."""

SPREAD = 0.5
"""Scenes take this share less or more than the mean: else all would end at once."""
GOLDEN = 0.618034
"""Its multiples fall evenly between whole numbers."""


@dataclass(frozen=True, slots=True)
class PretendRecipe:
    """What `edge.bulk.scorer.Recipe` is to a real worker."""

    seconds: float
    """Core seconds of a scene, in the mean."""
    answer: Path
    """JSON: the document of each scene. A file, as it is long: Ray keeps small recipes only at hand for a restart."""
    px: int = 0
    threads: int = 1
    provider: str = "cpu"
    tries: int = 3

    def run_key(self) -> str:
        """The same everywhere."""
        return "pretend"

    def scorer(self) -> PretendScorer:
        """Load nothing."""
        return PretendScorer(self)


class PretendScorer:
    """Sleeps."""

    def __init__(self, recipe: PretendRecipe) -> None:
        """Have as many places as the recipe has threads."""
        self.at_once = recipe.threads + SPARE
        self._recipe = recipe
        self._document = json.loads(recipe.answer.read_text(encoding="utf-8"))
        self._places = threading.Semaphore(recipe.threads)

    def score(self, task: Task) -> Done:
        """Wait for a place, and keep it for as long as a core would have worked."""
        recipe = self._recipe
        begun = time.perf_counter()
        with self._places:
            time.sleep(recipe.seconds * (1 - SPREAD + 2 * SPREAD * (task.number * GOLDEN % 1)))
        document = {**self._document, "scene": task.name}
        took = time.perf_counter() - begun
        return Done(task.number, content=f"pretend {task.number}", document=document, px=recipe.px, seconds=took)

"""What runs on a node of a Ray cluster: one model in a process of its own. It knows nothing of Ray."""

from __future__ import annotations

import pickle
import platform
import threading
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge.bulk.task import Done, Failure
from edge.errors import TankerEdgeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.bulk.task import Task

_LEVEL = 1
"""Of zlib: the quickest makes a third of a document."""


class ScoresTasks(Protocol):
    """What a worker needs of an `edge.bulk.scorer.Scorer`."""

    at_once: int
    """Scenes to have under way."""

    def score(self, task: Task) -> Done:
        """Count a scene; what is wrong with it is told, not raised."""


class MakesScorer(Protocol):
    """What travels to a worker: an `edge.bulk.scorer.Recipe`, a frozen dataclass that can be pickled."""

    @property
    def provider(self) -> str:
        """Execution provider."""

    @property
    def threads(self) -> int:
        """That run networks; 0 for as many as there is room for."""

    @property
    def tries(self) -> int:
        """Of a scene."""

    def run_key(self) -> str:
        """Results of one run key belong together."""

    def scorer(self) -> ScoresTasks:
        """Load the model."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker tells of itself once its model is loaded."""

    run: str
    """See Recipe.run_key: of the model and the program on this node."""
    at_once: int
    """Scenes that it takes side by side."""
    node: str
    """The machine's name."""


class Worker:
    """Loads a model when it is first asked for anything, and scores; its methods may run side by side."""

    def __init__(self, recipe: MakesScorer) -> None:
        """Load nothing yet: what dies in its constructor Ray would start again and again, for ever."""
        self._recipe = recipe
        self._scorer: ScoresTasks | None = None
        self._lock = threading.Lock()
        self._node = platform.node()

    def meet(self) -> None:
        """Be there."""

    def load(self) -> Hello:
        """Load the model.

        Raises:
            ModelError: the model is not whole; so for ProviderError and UsageError. They name this node.
        """
        with self._named():
            return Hello(self._recipe.run_key(), self._loaded().at_once, self._node)

    def score(self, task: Task) -> bytes:
        """Count a scene, and pack what is done for `unpack`; see `Scorer.score`.

        Packed, answers of some thousand vessels are below the 100 kB up to which Ray sends an answer along with its
        notice; larger ones it keeps on the node until they are asked for, and they may be lost with it.
        """
        if _is_absent(task):
            cause = f"is not there on node {self._node}"
            mend = "put it where every node sees it under this name: a shared folder or a store"
            return pack(Done(task.number, failure=Failure(cause, mend)))
        with self._named():
            return pack(self._loaded().score(task))

    def _loaded(self) -> ScoresTasks:
        with self._lock:
            if self._scorer is None:
                self._scorer = self._recipe.scorer()
            return self._scorer

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say in errors on which node they were."""
        try:
            yield
        except TankerEdgeError as error:
            subject = f"{error.subject} (node {self._node})"
            raise type(error)(subject, error.cause, error.mend) from error


def pack(done: Done) -> bytes:
    """For the way to the driver."""
    return zlib.compress(pickle.dumps(done, pickle.HIGHEST_PROTOCOL), _LEVEL)


def unpack(packed: bytes) -> Done:
    """What `pack` was given."""
    done: Done = pickle.loads(zlib.decompress(packed))  # noqa: S301 - of a worker, which Ray trusts with anything
    return done


def _is_absent(task: Task) -> bool:
    """Whether a file is not there; of what is in a store, or may not be looked at, the scorer tells."""
    try:
        return "://" not in task.place.base and not Path(task.place.base).exists()
    except OSError:
        return False

"""One run of a job: how far it is, how it is stopped, and what is told of one that failed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from edge.errors import TankerEdgeError
from edge.server.problems import HttpError, problem


@dataclass(slots=True)
class Run:
    """A job that is being run."""

    id: str
    stop: threading.Event = field(default_factory=threading.Event)
    progress: tuple[int, int] = (0, 0)
    """Tiles done and planned; replaced as a whole, so that any thread may look."""

    def on_tile(self, done: int, planned: int) -> None:
        """Take note of a tile; see `scan`."""
        self.progress = (done, planned)


def problem_of(error: Exception) -> dict[str, Any]:
    """Why a job failed, as its document says it."""
    if not isinstance(error, (TankerEdgeError, HttpError)):
        error = HttpError(500, "the server failed while it counted this scene", "tell its operator; the log says more")
    return problem(error).model_dump(exclude_none=True)

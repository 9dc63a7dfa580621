"""The child's side: load a network once, then answer requests, one JSON document a line.

A child says `{"ready": true, ...}` once it has loaded. It then reads requests: `{"do": "run", "scene": PATH, ...}`, the
rest being options of the side that it plays, and answers with a line each: the seconds from the file's path to the list
of boxes, the boxes and what there is to note, or `{"error": "..."}`. It ends at `{"do": "quit"}` or at the end of its
input. Libraries that print do so on stderr: stdout is for answers.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from benchmarks.clock import Clock
from benchmarks.common import peak_rss_mb

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.typing import NDArray

    Request: TypeAlias = dict[str, Any]
    Runner: TypeAlias = Callable[[Request], "Found"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a side found in a scene."""

    corners: NDArray[Any]
    """Shape (n, 4, 2), px of the scene."""
    score: NDArray[Any]
    """Shape (n,), 0 to 1."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What else there is to say, such as the number of tiles."""


def answer(run: Runner, request: Request) -> dict[str, Any]:
    """Run a request and measure it."""
    with Clock() as clock:
        found = run(request)
    return {
        "seconds": clock.wall_s,
        "cpu_s": clock.cpu_s,
        "busy_s": clock.busy_s,
        "rss_mb": peak_rss_mb(),
        "corners": np.asarray(found.corners, np.float64).reshape(-1, 4, 2).round(3).tolist(),
        "score": np.asarray(found.score, np.float64).round(6).tolist(),
        "notes": found.notes,
    }


def exchange(run: Runner, requests: TextIO, answers: TextIO) -> None:
    """Answer requests until the last."""
    for line in requests:
        request = json.loads(line)
        if request.get("do") == "quit":
            return
        try:
            said = answer(run, request)
        except Exception as error:  # noqa: BLE001 - whatever a peer's library raises is an answer, not the end
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), file=answers, flush=True)


def serve(load: Callable[[], tuple[Runner, dict[str, Any]]]) -> int:
    """Load, say so, answer; the exit status of the child.

    Args:
        load: gives the function that runs a request, and what to tell of the side, such as versions.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # also for libraries that print from C
    begun = time.perf_counter()
    run, about = load()
    ready = {"ready": True, "load_s": round(time.perf_counter() - begun, 3), "about": about}
    print(json.dumps(ready), file=answers, flush=True)
    exchange(run, sys.stdin, answers)
    return 0

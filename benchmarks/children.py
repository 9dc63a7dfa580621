"""The parent's side: sides as child processes, each spoken to in JSON lines (see benchmarks.protocol)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.clock import LIMIT, foreign_share
from benchmarks.common import ROOT, cores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

_PATIENCE_S = 10


class SideError(RuntimeError):
    """A side did not start, or could not do what it was asked to."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One scene, once."""

    seconds: float
    cpu_s: float
    foreign: float | None
    """Share of the machine that others used meanwhile."""
    rss_mb: int | None
    corners: NDArray[np.float64]
    """Shape (n, 4, 2), px of the scene."""
    score: NDArray[np.float64]
    """Shape (n,)."""
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def disturbed(self) -> bool:
        """Whether others used more of the machine than a fair sample allows."""
        return self.foreign is not None and self.foreign > LIMIT


def read_run(line: str, known_s: float = 0.0) -> Run:
    """A child's answer as a run; `known_s` core seconds of others that were meant to be there are not foreign.

    Raises:
        SideError: the child answers with an error.
    """
    said = json.loads(line)
    if "error" in said:
        raise SideError(said["error"])
    return Run(
        said["seconds"],
        said["cpu_s"],
        foreign_share(said["busy_s"], said["cpu_s"] + known_s, said["seconds"], os.cpu_count() or cores()),
        said["rss_mb"],
        np.asarray(said["corners"], np.float64).reshape(-1, 4, 2),
        np.asarray(said["score"], np.float64),
        said["notes"],
    )


class Child:
    """A side in a process of its own, with its network loaded."""

    def __init__(self, module: str, options: Sequence[str], log: Path, python: Path | None = None) -> None:
        """Start `python -m benchmarks.<module> options` and wait until it is ready.

        Raises:
            SideError: it ended before.
        """
        self.module, self.log = module, log
        log.parent.mkdir(parents=True, exist_ok=True)
        # What a peer would ask the network for, or write into the home folder, is no part of the measurement.
        quiet = {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": str(log.parent)}
        with log.open("wb") as messages:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, in an environment that we made
                [str(python or sys.executable), "-m", f"benchmarks.{module}", *options],
                cwd=ROOT,
                env={**os.environ, **quiet},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
            )
        ready = json.loads(self._line())
        self.about: dict[str, Any] = ready["about"]
        self.load_s: float = ready["load_s"]

    def _line(self) -> str:
        """The next line that the child says.

        Raises:
            SideError: there is none.
        """
        line = self._process.stdout.readline() if self._process.stdout else ""
        if line:
            return line
        self._process.communicate()
        said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
        message = f"benchmarks.{self.module} ended with status {self._process.returncode}: {said[-1]}"
        raise SideError(message)

    def ask(self, scene: Path, **request: object) -> str:
        """Have a scene run; the child's answer, a line for `read_run`.

        Raises:
            SideError: the child is gone.
        """
        if self._process.stdin is None or self._process.poll() is not None:
            return self._line()
        print(json.dumps({"do": "run", "scene": str(scene), **request}), file=self._process.stdin, flush=True)
        return self._line()

    def run(self, scene: Path, **request: object) -> Run:
        """Have a scene run.

        Raises:
            SideError: the child could not do it, or is gone.
        """
        return read_run(self.ask(scene, **request))

    def close(self) -> None:
        """Let it end, or end it."""
        try:
            self._process.communicate('{"do": "quit"}\n', timeout=_PATIENCE_S)
        except (subprocess.TimeoutExpired, BrokenPipeError, ValueError):
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Child:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Give the child itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

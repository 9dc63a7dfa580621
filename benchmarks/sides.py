"""All sides by name: each a child process, started when it is first asked for."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.children import Child, Run, SideError
from benchmarks.common import OVERLAP_PX, ROOT, THRESHOLD, TILE_PX
from benchmarks.peers import ready_python
from edge.catalogue import find_model
from edge.session import PRECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

PEERS = ("sahi", "supervision", "ultralytics", "loop")
REFERENCE = "sahi"
BASE = "ours cpu fp32"
VARIANTS = tuple(f"ours {provider} {precision}" for provider in PRECISIONS for precision in PRECISIONS[provider])
"""Our engine by provider and precision; what a machine or a model does not have is left out, with the reason."""
PLAN = {"tile_px": TILE_PX, "overlap_px": OVERLAP_PX, "threshold": THRESHOLD}
"""What everybody is told where all are to do the same."""


def peer_network(work: Path, model: str, python: Path, side: int = TILE_PX) -> Path:
    """A model's network as the peers want it, for tiles of `side` px; made anew where the model has changed since.

    Raises:
        SideError: it cannot be made.
    """
    folder, path = find_model(model), work / f"peer-{side}.onnx"
    if path.exists() and path.stat().st_mtime > (folder / "card.json").stat().st_mtime:
        return path
    command = [str(python), "-m", "benchmarks.peer_model", "--model", str(folder.resolve()), "--out", str(path)]
    command += ["--side", str(side)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        message = f"the peers' network could not be made: {done.stderr.strip().splitlines()[-1]}"
        raise SideError(message)
    return path


class Sides:
    """Starts children, remembers those that cannot start, and ends all."""

    def __init__(self, work: Path, model: str, venv: Path | None = None) -> None:
        """Say where logs and the peers' network go, which model, and where the peers are installed."""
        self.work, self.model, self.venv = work, model, venv
        self._children: dict[str, Child] = {}
        self._failed: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Sides:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Give itself; nothing is started yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End all children."""
        self._stack.close()

    def child(self, name: str) -> Child:
        """A side's child.

        Raises:
            SideError: it cannot start.
        """
        if name in self._failed:
            raise SideError(self._failed[name])
        if name not in self._children:
            try:
                self._children[name] = self._stack.enter_context(self._start(name))
            except SideError as error:
                self._failed[name] = str(error)
                raise
        return self._children[name]

    def _start(self, name: str) -> Child:
        log = self.work / "logs" / f"{name.replace(' ', '-')}.log"
        if name in PEERS:
            python = ready_python(self.venv)
            return Child(f"peer_{name}", ["--network", str(peer_network(self.work, self.model, python))], log, python)
        _, provider, precision = name.split()
        return Child("ours", ["--model", self.model, "--provider", provider, "--precision", precision], log)

    def runner(self, name: str, scene: Path, **request: object) -> Callable[[], Run]:
        """A function that runs a scene by a side, with what the request says besides."""
        return lambda: self.child(name).run(scene, **request)

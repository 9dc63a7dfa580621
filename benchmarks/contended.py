"""How much speed is left when another process keeps one core busy: ours and the reference's.

python -m benchmarks.contended
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.children import Run, SideError, read_run
from benchmarks.clock import process_busy_s
from benchmarks.common import SIDE_PX, add_rounds, add_work, finish, headline, machine, table
from benchmarks.peers import add_venv
from benchmarks.rounds import Rounds, interleave, summaries
from benchmarks.scenes import scene_file
from benchmarks.sides import BASE, PLAN, REFERENCE, Sides
from edge.catalogue import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

REQUEST = {**PLAN, "gsd_m": 1.0, "exhaustive": True}
_BUSY = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(1, flush=True)\nwhile True: pass"
QUIET, BUSY = "", ", contended"


class Neighbour:
    """A process that keeps one core busy."""

    def __enter__(self) -> Neighbour:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Start it; wait until it is at work.

        Raises:
            SideError: this system does not bind processes to cores.
        """
        self._process = subprocess.Popen(  # noqa: S603 - the line above
            [sys.executable, "-c", _BUSY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        if not (self._process.stdout and self._process.stdout.readline()):
            self._process.wait()
            message = "this system does not bind a process to a core"
            raise SideError(message)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    @property
    def busy_s(self) -> float:
        """Core seconds that it has used."""
        return process_busy_s(self._process.pid)


def contended(sides: Sides, name: str, scene: Path) -> Callable[[], Run]:
    """A function that runs a scene by a side, beside a busy neighbour; the neighbour's time is not foreign."""

    def run() -> Run:
        child = sides.child(name)
        with Neighbour() as neighbour:
            before = neighbour.busy_s
            line = child.ask(scene, **REQUEST)
            return read_run(line, neighbour.busy_s - before)

    return run


def kept_share(out: Rounds, name: str) -> float | None:
    """Throughput beside a neighbour over throughput alone; None where the side did not run."""
    quiet, busy = out.median_s(name + QUIET), out.median_s(name + BUSY)
    return None if quiet is None or busy is None else round(quiet / busy, 3)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.contended", description=headline(__doc__))
    add_rounds(parser)
    add_work(parser)
    add_venv(parser)
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped model or a model folder (%(default)s)")
    parser.add_argument("--side", type=int, default=SIDE_PX, help="px of the scene (%(default)s)")
    args = parser.parse_args(argv)
    path = scene_file(args.work, "jpeg", args.side)
    with Sides(args.work, args.model, args.venv) as sides:
        runners = {}
        for name in (BASE, REFERENCE):
            runners[name + QUIET] = sides.runner(name, path, **REQUEST)
            runners[name + BUSY] = contended(sides, name, path)
        out = interleave(runners, args.rounds, args.repeats)
    rows = summaries(out, args.side**2)
    print(table(rows))
    kept = {"contended_ratio": kept_share(out, BASE), "contended_ratio_sahi": kept_share(out, REFERENCE)}
    return finish("contended", {"machine": machine(), **kept, "rows": rows, "left_out": out.left_out})


if __name__ == "__main__":
    raise SystemExit(main())

"""One load on one server: how it answered, what both used of the machine, and what others did meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.children import SideError
from benchmarks.clock import LIMIT, foreign_share, machine_busy_s
from benchmarks.common import REPEATS, ROOT, cores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.common import Document
    from benchmarks.server_child import Server
    from benchmarks.serving_files import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A load, as benchmarks.load has it."""

    asks: Sequence[Asked]
    rate: float | None = None
    clients: int = 1
    seconds: float
    warmup_s: float = 0.0
    patience_s: float = 60.0
    field: str | None = None
    """Files are sent as this field of a form; None for files as they are."""

    def command(self, port: int) -> list[str]:
        """The generator that makes it."""
        told = [sys.executable, "-m", "benchmarks.load", "--port", str(port)]
        for ask in self.asks:
            told += ask.options
        told += ["--rate", f"{self.rate:.6g}"] if self.rate else ["--clients", str(self.clients)]
        told += ["--seconds", str(self.seconds), "--warmup", str(self.warmup_s), "--patience", str(self.patience_s)]
        return told + (["--field", self.field] if self.field else [])


class Generator:
    """A load while it is being made."""

    def __init__(self, port: int, phase: Phase) -> None:
        """Start it."""
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            phase.command(port), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def result(self) -> Document:
        """Wait for it; its document.

        Raises:
            SideError: it failed.
        """
        said, errors = self._process.communicate()
        if self._process.returncode:
            message = f"the load could not be made: {(errors.strip().splitlines() or ['it said nothing'])[-1]}"
            raise SideError(message)
        return dict(json.loads(said.strip().splitlines()[-1]))


def run_phase(server: Server, phase: Phase, beside: Sequence[Phase] = ()) -> tuple[Document, list[Document]]:
    """Make a load, and others beside it; their documents, the first with what the machine did meanwhile.

    Raises:
        SideError: one of them failed.
    """
    before, busy, own, begun = server.watch.look(), machine_busy_s(), time.process_time(), time.monotonic()
    generators = [Generator(server.port, each) for each in (phase, *beside)]
    told, *others = [generator.result() for generator in generators]
    after, wall = server.watch.look(), time.monotonic() - begun
    spent = after.cpu_s - before.cpu_s
    own = time.process_time() - own + sum(document["process_cpu_s"] for document in (told, *others))
    now = machine_busy_s()
    worked = None if now is None or busy is None else now - busy
    foreign = foreign_share(worked, spent + own, wall, os.cpu_count() or cores())
    told |= {
        "server": {
            "cpu_share": round(spent / wall / cores(), 4),
            "rss_mb": round(after.rss_mb, 1),
            "peak_rss_mb": round(max(row.rss_mb for row in server.watch.rows if row.at_s >= begun), 1),
        },
        "harness_cpu_share": round(own / wall / cores(), 4),
        "foreign": None if foreign is None else round(foreign, 3),
        "disturbed": foreign is not None and foreign > LIMIT,
    }
    return told, others


def steady(run: Callable[[], Document], repeats: int = REPEATS) -> Document:
    """The first document of a run that others did not disturb, or the least disturbed of all."""
    best, thrown = run(), 0
    while best["disturbed"] and thrown < repeats:
        best = min(best, run(), key=lambda document: document["foreign"])
        thrown += 1
    return {**best, "repeated": thrown}


def load(server: Server, phase: Phase, repeats: int = REPEATS) -> Document:
    """Make a load; again where others disturbed it."""
    return steady(lambda: run_phase(server, phase)[0], repeats)

"""Sides in turn (A B A B), so that what the machine does meanwhile falls on all of them alike; then medians."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.children import Run, SideError
from benchmarks.clock import Clock
from benchmarks.common import REPEATS, peak_rss_mb, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(slots=True)
class Rounds:
    """All runs of all sides."""

    runs: dict[str, list[Run]] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)
    """Runs of each side that were thrown away because others were busy."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Sides that could not run, with the reason."""

    def median_s(self, side: str) -> float | None:
        """Median seconds of a side; None where it did not run."""
        runs = self.runs.get(side)
        return statistics.median(r.seconds for r in runs) if runs else None

    def ratio(self, side: str, reference: str) -> float | None:
        """How many times as fast as the reference a side is; None where one of both did not run."""
        own, theirs = self.median_s(side), self.median_s(reference)
        return None if own is None or theirs is None else round(theirs / own, 2)

    def last(self, side: str) -> Run | None:
        """The last run of a side; None where it did not run."""
        return self.runs[side][-1] if self.runs.get(side) else None


def steady(run: Callable[[], Run], repeats: int = REPEATS) -> tuple[Run, int]:
    """The first run that others did not disturb, or the least disturbed of all; and how many were thrown away."""
    best = run()
    for thrown in range(repeats):
        if not best.disturbed:
            return best, thrown
        again = run()
        best = min(best, again, key=lambda r: r.foreign or 0.0)
    return best, repeats


def run_here(work: Callable[[], dict[str, Any]]) -> Run:
    """Measure work in this very process; it gives what there is to note."""
    with Clock() as clock:
        notes = work()
    return Run(clock.wall_s, clock.cpu_s, clock.foreign, peak_rss_mb(), np.empty((0, 4, 2)), np.empty(0), notes)


def interleave(sides: Mapping[str, Callable[[], Run]], rounds: int, repeats: int = REPEATS) -> Rounds:
    """Run each side once to warm up, and then all of them in turn; a side that fails is left out from there on."""
    out = Rounds()
    for number in range(rounds + 1):
        for name, run in sides.items():
            if name in out.left_out:
                continue
            try:
                taken, thrown = steady(run, repeats if number else 0)
            except SideError as error:
                out.left_out[name] = str(error)
                out.runs.pop(name, None)
                say(f"{name} is left out: {error}")
                continue
            say(f"round {number or 'warm-up'}  {name}  {taken.seconds:.2f} s")
            if number:
                out.runs.setdefault(name, []).append(taken)
                out.repeated[name] = out.repeated.get(name, 0) + thrown
    return out


def summary(name: str, runs: Sequence[Run], pixels: int, repeated: int = 0) -> dict[str, Any]:
    """A side's row for the table and the document."""
    seconds = [r.seconds for r in runs]
    median = statistics.median(seconds)
    shares = [r.foreign for r in runs if r.foreign is not None]
    peaks = [r.rss_mb for r in runs if r.rss_mb is not None]
    return {
        "side": name,
        "runs": len(runs),
        "median_s": round(median, 3),
        "min_s": round(min(seconds), 3),
        "max_s": round(max(seconds), 3),
        "mp_per_s": round(pixels / 1e6 / median, 2),
        "rss_mb": max(peaks) if peaks else None,
        "boxes": len(runs[-1].score),
        "foreign": round(max(shares), 3) if shares else None,
        "disturbed": sum(r.disturbed for r in runs),
        "repeated": repeated,
    }


def summaries(rounds: Rounds, pixels: int, reference: str | None = None) -> list[dict[str, Any]]:
    """A row a side, with its speed beside the reference's."""
    rows = []
    for name, runs in rounds.runs.items():
        row = summary(name, runs, pixels, rounds.repeated.get(name, 0))
        if reference is not None:
            row["ratio"] = rounds.ratio(name, reference)
        rows.append({**row, **{k: v for k, v in runs[-1].notes.items() if isinstance(v, int | str)}})
    return rows

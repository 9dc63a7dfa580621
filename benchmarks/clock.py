"""Time a piece of work, and how busy others were meanwhile."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import cores

if TYPE_CHECKING:
    from types import TracebackType

LIMIT = 0.10
"""Foreign share of the machine above which a run is repeated, and flagged where that does not help."""
_BUSY = (0, 1, 2, 5, 6, 7)
"""Columns of /proc/stat: user, nice, system, irq, softirq, steal. Guests are part of user; idle and iowait are not."""
_USER, _SYSTEM = 11, 12
"""Columns of /proc/PID/stat after the command's name."""


def busy_ticks(stat: str) -> int:
    """Ticks that all cores spent working, from the text of /proc/stat; what a hypervisor stole counts as work."""
    columns = [int(value) for value in stat.splitlines()[0].split()[1:]]
    return sum(columns[i] for i in _BUSY if i < len(columns))


def process_ticks(stat: str) -> int:
    """Ticks of one process, from the text of /proc/PID/stat; its name may hold blanks and brackets."""
    columns = stat.rpartition(")")[2].split()
    return int(columns[_USER]) + int(columns[_SYSTEM])


def _seconds(ticks: int) -> float:
    return ticks / os.sysconf("SC_CLK_TCK")


def machine_busy_s() -> float | None:
    """Core seconds of work since the machine started; None where the system does not tell."""
    try:
        return _seconds(busy_ticks(Path("/proc/stat").read_text(encoding="ascii")))
    except OSError:
        return None


def process_busy_s(pid: int) -> float:
    """Core seconds that a living process has used."""
    return _seconds(process_ticks(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")))


def foreign_share(busy_s: float | None, own_s: float, wall_s: float, machine_cores: int) -> float | None:
    """Share (0 to 1) of the machine that others used; None where it is not known.

    Args:
        busy_s: core seconds that the whole machine worked.
        own_s: core seconds of those whose work is measured.
        wall_s: how long it took.
        machine_cores: cores of the machine.
    """
    if busy_s is None or wall_s <= 0:
        return None
    return min(max((busy_s - own_s) / (wall_s * machine_cores), 0.0), 1.0)


@dataclass(slots=True)
class Clock:
    """Measures what runs in its `with` block, in this process and on the machine."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Core seconds of this process, all threads."""
    busy_s: float | None = None
    """Core seconds of the whole machine."""

    def __enter__(self) -> Clock:  # noqa: PYI034 - Self is in typing from Python 3.11 on
        """Start."""
        self.busy_s = machine_busy_s()
        self.cpu_s, self.wall_s = time.process_time(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.wall_s = time.perf_counter() - self.wall_s
        self.cpu_s = time.process_time() - self.cpu_s
        now = machine_busy_s()
        self.busy_s = None if now is None or self.busy_s is None else now - self.busy_s

    @property
    def foreign(self) -> float | None:
        """Share of the machine that others used."""
        return foreign_share(self.busy_s, self.cpu_s, self.wall_s, os.cpu_count() or cores())

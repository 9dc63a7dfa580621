"""What a process and those that it starts use of the machine, over time (Linux)."""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clock import process_busy_s

_MB = 1024
"""kB of /proc in one."""


def process_tree(pid: int) -> list[int]:
    """A process and all that it started, as far as they live."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
                )
            except (OSError, IndexError):  # it has just ended
                continue
    found, fresh = [], [pid] if pid in parents else []
    while fresh:
        found += fresh
        fresh = [child for child, parent in parents.items() if parent in fresh]
    return found


def memory_mb(pid: int, field_name: str = "VmRSS", file: str = "status") -> float:
    """Memory of one process; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/{file}").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    found = re.search(rf"^{field_name}:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / _MB if found else 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree of processes uses."""

    at_s: float
    """time.monotonic"""
    rss_mb: float
    """Sum over the processes; what they share is counted in each."""
    cpu_s: float


class Watch:
    """Looks at a tree of processes now and then, in a thread of its own."""

    def __init__(self, pid: int, every_s: float = 1.0) -> None:
        """Start to look."""
        self.rows: list[Usage] = []
        self._pid, self._every = pid, every_s
        self._over = threading.Event()
        self._spent: dict[int, float] = {}
        """Core seconds of each process; of those that have ended, what they had at the last look."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._lock = threading.Lock()
        self.look()
        self._thread.start()

    def look(self) -> Usage:
        """Look once more."""
        with self._lock:
            pids = process_tree(self._pid)
            for pid in pids:
                with suppress(OSError):  # it has just ended
                    self._spent[pid] = process_busy_s(pid)
            rss = sum(memory_mb(pid) for pid in pids)
            self.rows.append(Usage(time.monotonic(), rss, sum(self._spent.values())))
            return self.rows[-1]

    def _run(self) -> None:
        while not self._over.wait(self._every):
            self.look()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def mean_rss(self, begin: float, end: float) -> float | None:
        """Mean memory, MB, between two moments of time.monotonic; None where nobody looked."""
        seen = [row.rss_mb for row in self.rows if begin <= row.at_s < end]
        return sum(seen) / len(seen) if seen else None

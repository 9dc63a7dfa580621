"""What the benchmarks share: where they work, how they print, what machine it was.

Only numpy and the standard library are needed, so that the peers' children can use it in a virtual environment of
their own.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "bench"
"""Scenes, the peers' network and logs; git ignores it, and `make clean` removes it."""
THRESHOLD = 0.25
"""Score from which a box counts, the same for everybody."""
TILE_PX, OVERLAP_PX = 640, 128
"""The plan that all peers are given: their usual tiles, a fifth of them shared."""
SIDE_PX = 8192
ROUNDS = 5
REPEATS = 3
LIBRARIES = ("numpy", "opencv-python", "onnxruntime", "onnxruntime-openvino", "openvino", "rasterio", "simplejpeg")

Document = dict[str, Any]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of the distributions that are installed."""
    found = {name: _version(name) for name in names}
    return {name: version for name, version in found.items() if version}


def _version(name: str) -> str | None:
    """Version of a distribution; None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu_model() -> str:
    """The processor's own name, or what Python knows of it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.machine()


def memory_gib() -> float | None:
    """The machine's memory; None where the system does not tell."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def machine() -> Document:
    """What the figures were measured on, and when."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_gib": memory_gib(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions(LIBRARIES),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def peak_rss_mb() -> int | None:
    """Peak of this very program; ru_maxrss would begin with that of the process that started it."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    except OSError:
        return None
    return int(found[1]) // 1024 if found else None


def say(text: str) -> None:
    """Progress, on stderr: stdout is for tables and the last line."""
    print(text, file=sys.stderr, flush=True)


def table(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows for people: a header and aligned columns; what a row lacks is a dash."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(line[i]) for line in cells)) for i, name in enumerate(names)] if cells else []
    lines = [[name.ljust(w) for name, w in zip(names, widths, strict=True)]] if cells else []
    lines += [[cell.ljust(w) for cell, w in zip(line, widths, strict=True)] for line in cells]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _cell(value: object) -> str:
    """One value as text."""
    return "-" if value is None else str(value)


def finish(name: str, document: Mapping[str, object]) -> int:
    """Print the JSON line that every benchmark ends with; the exit status."""
    print(json.dumps({"benchmark": name, **document}), flush=True)
    return 0


def add_work(parser: argparse.ArgumentParser) -> None:
    """The option that says where scenes and logs go."""
    parser.add_argument("--work", type=Path, default=WORK, help="folder of scenes and logs (%(default)s)")


def add_rounds(parser: argparse.ArgumentParser, rounds: int = ROUNDS) -> None:
    """The options that say how often each side runs."""
    parser.add_argument("--rounds", type=int, default=rounds, help="runs of each side, after a warm-up (%(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=REPEATS, help="how often a run that others disturb is tried again (%(default)s)"
    )


def headline(text: str | None) -> str:
    """First line of a module's docstring, for its --help."""
    return (text or "").splitlines()[0]

"""What every training step shares: progress on stderr, one JSON line at the end, atomic files."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from edge.errors import TankerEdgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def progress(items: Iterable[Any], total: int, what: str, every_s: float = 5.0) -> Iterator[Any]:
    """Pass the items on; now and then say on stderr how many of `total` are done."""
    last = start = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last > every_s or done == total:
            last = now
            left = (now - start) / done * (total - done)
            print(f"{what}: {done} of {total}, {left:.0f} s left", file=sys.stderr, flush=True)


def finish(**summary: Any) -> None:
    """Print the step's one JSON line."""
    print(json.dumps(summary), flush=True)


def run_step(main: Callable[[], int]) -> None:
    """Run a step's main as a program: an error that a user can mend is one sentence, not a traceback."""
    try:
        sys.exit(main())
    except TankerEdgeError as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def keep_settings(out: Path, settings: dict[str, Any]) -> None:
    """Write what a run in `out` does, or see to it that it is what an earlier call there began.

    Raises:
        UsageError: an earlier call had other settings or other data.
    """
    path = out / "settings.json"
    text = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    if path.exists() and path.read_text() != text:
        raise UsageError("--out", f"{out} holds a run with other settings or data", "name a new folder, or remove it")
    write_atomic(path, text)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a whole file or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    part.replace(path)

"""`python -m tests.attack`: attack a deployment with a token, as strangers and clients could; a table, then JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.attack import fetches, jobs, paths, protocol, scenes, tokens
from tests.attack.registry import ATTACKS, Outcome, carry_out
from tests.attack.target import Target, deployment

if TYPE_CHECKING:
    from collections.abc import Iterable

GROUPS = (tokens, protocol, paths, fetches, scenes, jobs)
"""Imported, so that they are on the list."""
SLOW = frozenset({"a_head_by_drops", "a_body_by_drops", "a_body_that_stops", "chunks_that_are_none"})
"""These mostly wait; they go on beside the others."""


def carry_out_all(target: Target, only: str = "") -> Iterable[Outcome]:
    """All attacks whose name or group contains a word."""
    chosen = [each for each in ATTACKS if only in f"{each.group}.{each.name}"]
    with ThreadPoolExecutor(len(SLOW)) as beside:
        slow = [beside.submit(carry_out, each, target) for each in chosen if each.name in SLOW]
        yield from (carry_out(each, target) for each in chosen if each.name not in SLOW)
        yield from (each.result() for each in slow)


def say(line: str) -> None:
    """A line on stdout, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Attack."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("only", nargs="?", default="", help="attacks whose name or group contains this word")
    args = parser.parse_args()
    begun, failed, rows = time.perf_counter(), 0, []
    with tempfile.TemporaryDirectory() as folder, deployment(Path(folder)) as target:
        at_first = target.memory()
        for found in carry_out_all(target, args.only):
            known, wanted = found.attack, "/".join("closed" if s == 0 else str(s) for s in sorted(found.attack.wanted))
            state = "FAILED" if found.faults else "stood"
            say(f"{state:6s} {known.group:8s} {known.told}")
            say(f"{'':15s} wanted {wanted}; answered {found.answered}; {found.seconds:.1f} s")
            for fault in found.faults:
                say(f"{'':15s} {fault}")
            failed += bool(found.faults)
            rows.append(
                {**asdict(found), "attack": f"{known.group}.{known.name}", "told": known.told, "wanted": wanted}
            )
        grown = target.memory() - at_first
    told = {"attacks": len(rows), "failed": failed, "seconds": round(time.perf_counter() - begun, 1)}
    say(json.dumps({**told, "grown_mb": grown >> 20, "rows": rows}, default=list))
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

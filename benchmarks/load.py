"""A load on an HTTP server: so many requests a second whatever it does, or so many clients that wait for their answers.

    python -m benchmarks.load --port 8080 --ask "/v1/count?gsd=1" tile.jpg 1 --rate 20 --seconds 10

With `--rate` requests are due at even intervals, and latency counts from then (see benchmarks.samples). With
`--clients` each client sends its next one when it has its answer, or, refused, after a pause. It runs as a process of
its own, at a higher priority where the system allows that, so that it is never what is measured; what it costs is in
its answer.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import finish, headline, table
from benchmarks.http_raw import ask_bytes
from benchmarks.load_run import Ask, Plan, make

if TYPE_CHECKING:
    from collections.abc import Sequence

NICE = -10
"""Of this process, where it may: the server's threads are at 0."""


def prefer(nice: int) -> int:
    """Take a niceness where the system allows it; the one that this process has then."""
    if not hasattr(os, "setpriority"):
        return 0
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    return os.getpriority(os.PRIO_PROCESS, 0)


def asks_of(told: Sequence[Sequence[str]], field: str | None) -> list[Ask]:
    """Requests of the command line: target, file or - for GET, weight."""
    return [
        Ask(
            Path(file).stem if file != "-" else target,
            ask_bytes(target, None if file == "-" else Path(file), field),
            int(n),
        )
        for target, file, n in told
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Make a load, print a table and a JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=headline(__doc__))
    parser.add_argument("--port", type=int, required=True, help="of the server, on loopback")
    parser.add_argument(
        "--ask",
        nargs=3,
        action="append",
        required=True,
        metavar=("TARGET", "FILE", "WEIGHT"),
        help="a request: its target, the file that is its body (- for GET), how many for how many of the others",
    )
    parser.add_argument("--field", help="send files as this field of a form, not as they are")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--rate", type=float, help="requests a second")
    kind.add_argument("--clients", type=int, help="clients that wait for their answers")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long (%(default)s)")
    parser.add_argument(
        "--warmup", type=float, default=0.0, help="seconds at the start that do not count (%(default)s)"
    )
    parser.add_argument("--patience", type=float, default=60.0, help="seconds after which to give up (%(default)s)")
    parser.add_argument("--nice", type=int, default=NICE, help="priority of this process (%(default)s)")
    args = parser.parse_args(argv)
    nice = prefer(args.nice)
    plan = Plan(
        port=args.port,
        asks=asks_of(args.ask, args.field),
        rate=args.rate,
        clients=args.clients or 1,
        seconds=args.seconds,
        warmup_s=args.warmup,
        patience_s=args.patience,
    )
    document = make(plan)
    print(table(document["timeline"]))
    return finish("load", {**document, "nice": nice, "process_cpu_s": round(time.process_time(), 3)})


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m tests.fuzz_uploads --number 100000 --seed 1`: spoiled uploads to a real server, which must take them all.

Each case is made by its own seed, so `--only N` sends one again. Real files of every kind are spoiled and sent as raw
bodies and as forms, over two connections that stay open. Every answer must be a documented one, within 5 s; the server
must not crash, nor grow. The last line is JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.fuzz_mutations import spoil
from tests.fuzz_samples import AREAS, samples
from tests.process import process
from tests.wire import form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RIGHT = frozenset({200, 400, 408, 413, 415, 422})
"""Statuses that a spoiled upload may get; 503 and 504 would say that the server was held up."""
LONGEST_S = 5.0
CONNECTIONS = 2
MOST_FAULTS = 50
LIMITS = ("--max-request-mp", "1", "--max-inflight-mp", "4")
"""A spoiled header may tell of millions of px: with the toy model, whose tiles are small and which finds a vessel in
each bright cell, they take long to count, and no longer than they may."""
OPTIONS: dict[str, tuple[str, ...]] = {
    "gsd": ("0.5", "1", "3", "10", "0.01", "500"),
    "conf": ("0", "0.3", "1"),
    "max_length": ("50", "400", "5000"),
    "min_length": ("0", "24", "100"),
    "bands": ("1", "3,2,1", "4", "2,2,2"),
    "stretch": ("0,100", "2,98", "1,1.5"),
    "exhaustive": ("true",),
    "name": ("a.tif", "../x.png", "港.jpg"),
}


@dataclass(frozen=True)
class Case:
    """One request."""

    number: int
    sample: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Seen:
    """What came of all of them."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: int = -1
    """Number of that case."""
    rss: dict[int, int] = field(default_factory=dict)
    """Cases done -> bytes."""


def case(seed: int, number: int, whole: dict[str, bytes]) -> Case:
    """A case by its number."""
    rng = Random(f"{seed}-{number}")  # noqa: S311 - it shall be the same again
    name = rng.choice(sorted(whole))
    others = list(whole.values())
    scene = spoil(rng, whole[name], others) if rng.random() < 0.95 else whole[name]
    names = rng.sample(sorted(OPTIONS), rng.choice((0, 0, 1, 2)))
    query = urlencode({each: rng.choice(OPTIONS[each]) for each in names})
    if rng.random() < 0.6:
        return Case(number, name, query, {"Content-Type": "image/tiff"}, scene)
    body, boundary = _form(rng, scene, others)
    return Case(number, name, query, {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body)


def _form(rng: Random, scene: bytes, others: Sequence[bytes]) -> tuple[bytes, str]:
    """A form, of which the structure is sometimes spoiled too."""
    boundary = rng.choice(("b0undary", "-", "x" * 70, "a b"))
    parts = [('name="scene"; filename="a.tif"', scene)]
    if rng.random() < 0.5:
        area = rng.choice(AREAS)
        parts.append(("name=aoi", spoil(rng, area, others) if rng.random() < 0.7 else area))
    if rng.random() < 0.1:
        parts.append(rng.choice(parts))
    rng.shuffle(parts)
    body = form(*parts, boundary=boundary)
    if rng.random() < 0.3:
        edges = bytearray(body[:120])
        spoiled = spoil(rng, bytes(edges), [b"\r\n--" + boundary.encode(), b"\r\n\r\n", b"--", b'name="aoi"'])
        body = spoiled + body[120:]
    if rng.random() < 0.1:
        body = body[: rng.randrange(len(body))]
    return body, f'"{boundary}"'


class Client(threading.Thread):
    """Sends cases over a connection that stays open, one after the other."""

    def __init__(self, port: int, cases: Iterator[Case], seen: Seen, lock: threading.Lock) -> None:
        super().__init__(daemon=True)
        self._port, self._cases, self._seen, self._lock = port, cases, seen, lock
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def run(self) -> None:
        """Until there are no more, or the server is gone, or it has failed often enough."""
        with contextlib.closing(self._connection):
            while len(self._seen.faults) < MOST_FAULTS:
                with self._lock:
                    each = next(self._cases, None)
                if each is None or not self._try(each):
                    return

    def _try(self, each: Case) -> bool:
        """Send a case and note its answer; False where there is none."""
        begun = time.perf_counter()
        try:
            status = self._send(each)
        except (OSError, http.client.HTTPException) as error:
            self._seen.faults.append(f"case {each.number} ({each.sample}): {type(error).__name__}: {error}")
            return False
        self._note(each, status, time.perf_counter() - begun)
        return True

    def _send(self, each: Case) -> int:
        self._connection.request("POST", f"/v1/count?{each.query}", each.body, each.headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status == 200:
            json.loads(body)["counts"]["vessel"]
        else:
            assert json.loads(body)["status"] == answer.status
        return answer.status

    def _note(self, each: Case, status: int, seconds: float) -> None:
        with self._lock:
            self._seen.statuses[status] += 1
            if seconds > self._seen.slowest_s:
                self._seen.slowest_s, self._seen.slowest = seconds, each.number
            if status not in RIGHT:
                self._seen.faults.append(f"case {each.number} ({each.sample}): answered {status}")
            if seconds > LONGEST_S:
                self._seen.faults.append(f"case {each.number} ({each.sample}): took {seconds:.1f} s")


def rss(pid: int) -> int:
    """Memory of a process, bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def cases(seed: int, numbers: Sequence[int], seen: Seen, pid: int) -> Iterator[Case]:
    """All cases; on the way the server's memory is noted ten times."""
    whole, step = samples(), max(1, len(numbers) // 10)
    for done, number in enumerate(numbers):
        if done and done % step == 0:
            seen.rss[done] = rss(pid)
        yield case(seed, number, whole)
    seen.rss[len(numbers)] = rss(pid)


def fuzz(folder: Path, seed: int, numbers: Sequence[int]) -> Seen:
    """Send cases to a server of their own."""
    seen, lock = Seen(), threading.Lock()
    with process(folder, *LIMITS) as server:
        port = int(server.wait_for("ready")["port"])
        each = cases(seed, numbers, seen, server.popen.pid)
        clients = [Client(port, each, seen, lock) for _ in range(CONNECTIONS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        code = server.popen.poll()
        if code is not None:
            seen.faults.append(f"the server ended with {code}")
        broken = [record for record in server.log if record["level"] == "error"]
        seen.faults += [f"in the log: {json.dumps(record)[:2000]}" for record in broken[:5]]
    return seen


def main() -> int:
    """Fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_uploads", description=__doc__)
    parser.add_argument("--number", type=int, default=3000, help="cases (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the cases (%(default)s)")
    parser.add_argument("--only", type=int, help="send this case alone")
    parser.add_argument("--save", type=Path, metavar="FILE", help="with --only: write its body instead of sending it")
    args = parser.parse_args()
    numbers = range(args.first, args.first + args.number) if args.only is None else [args.only]
    if args.save:
        args.save.write_bytes(case(args.seed, numbers[0], samples()).body)
        return 0
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        seen = fuzz(Path(folder), args.seed, numbers)
    seconds = time.perf_counter() - begun
    done = sum(seen.statuses.values())
    told = {
        "cases": done,
        "seed": args.seed,
        "seconds": round(seconds, 1),
        "per_s": round(done / seconds, 1),
        "statuses": dict(sorted(seen.statuses.items())),
        "slowest_s": round(seen.slowest_s, 2),
        "slowest": seen.slowest,
        "rss_mb": [round(value / 2**20) for _, value in sorted(seen.rss.items())],
        "faults": seen.faults,
    }
    sys.stdout.write(f"{json.dumps(told)}\n")
    return int(bool(seen.faults) or done < len(numbers))


if __name__ == "__main__":
    sys.exit(main())

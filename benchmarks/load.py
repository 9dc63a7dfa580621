"""A load on an HTTP server: so many requests a second whatever it does, or so many clients that wait for their answers.

    python -m benchmarks.load --port 8080 --ask "/v1/count?gsd=1" tile.jpg 1 --rate 20 --seconds 10

With `--rate` requests are due at even intervals, and latency counts from then (see benchmarks.samples). With
`--clients` each client sends its next one when it has its answer, or, refused, after a pause. It runs as a process of
its own, at a higher priority where the system allows that, so that it is never what is measured; what it costs is in
its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common import cores, finish, headline, table
from benchmarks.http_raw import Connection, Head, NoAnswerError, ask_bytes
from benchmarks.samples import OK, Sample, Span, mixed, summarise, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.common import Document

NICE = -10
"""Of this process, where it may: the server's threads are at 0."""
PAUSE_S = 0.1
"""After anything but an answer that was wanted, before a waiting client tries again."""
MOST_CONNECTIONS = 512


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request, ready to be sent."""

    name: str
    raw: bytes
    weight: int = 1
    """How many of it for how many of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What load to make."""

    port: int
    asks: Sequence[Ask]
    rate: float | None = None
    """Requests a second; None for clients that wait."""
    clients: int = 1
    seconds: float
    warmup_s: float = 0.0
    """At the start, not counted."""
    patience_s: float = 60.0
    """After it was due, a request is given up."""

    def __post_init__(self) -> None:
        """Refuse what makes no load."""
        if not self.asks or self.seconds <= self.warmup_s or (self.rate is not None and self.rate <= 0):
            message = "a load needs a request, a rate above 0 and more seconds than its warm-up has"
            raise ValueError(message)

    @property
    def span(self) -> Span:
        """What of it counts."""
        return Span(self.warmup_s, self.seconds)


class Load:
    """One load, while it is made."""

    def __init__(self, plan: Plan) -> None:
        """Nothing is sent yet."""
        self.plan = plan
        self.samples: list[Sample] = []
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(MOST_CONNECTIONS)
        self._begin = 0.0
        self._asks = mixed(plan.asks)

    async def run(self) -> list[Sample]:
        """Make it, wait for the last answers."""
        loop = asyncio.get_running_loop()
        self._begin = loop.time()
        tasks: set[asyncio.Task[None]] = set()
        if self.plan.rate is None:
            tasks |= {loop.create_task(self._client()) for _ in range(self.plan.clients)}
        else:
            await self._evenly(tasks, self.plan.rate)
        if tasks:
            await asyncio.gather(*tasks)
        for connection in self._idle:
            connection.close()
        return self.samples

    async def _evenly(self, tasks: set[asyncio.Task[None]], rate: float) -> None:
        """Requests at even intervals."""
        loop = asyncio.get_running_loop()
        for number in itertools.count():
            due = number / rate
            if due >= self.plan.seconds:
                return
            wait = self._begin + due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            task = loop.create_task(self._ask(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _client(self) -> None:
        """One request after the other."""
        while (now := self._now()) < self.plan.seconds:
            await self._ask(now)
            if self.samples[-1].status != OK:
                await asyncio.sleep(PAUSE_S)

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._begin

    async def _ask(self, due: float) -> None:
        """Send the next request, note what became of it."""
        ask = next(self._asks)
        async with self._free:
            sent = self._now()
            try:
                head = await self._answer(ask, self.plan.patience_s - (sent - due))
            except NoAnswerError as error:
                self.samples.append(Sample(ask.name, due, sent, self._now(), failure=str(error)))
            else:
                told = (head.status, None, head.retry_after)
                self.samples.append(Sample(ask.name, due, sent, self._now(), *told))

    async def _answer(self, ask: Ask, patience_s: float) -> Head:
        """The answer to a request, by a connection that is free, or a new one."""
        connection = await self._connection()
        try:
            return await connection.send(ask.raw, patience_s)
        finally:
            if connection.usable:
                self._idle.append(connection)

    async def _connection(self) -> Connection:
        """One that is free, or a new one.

        Raises:
            NoAnswerError: the server takes none.
        """
        while self._idle:
            if (connection := self._idle.pop()).usable:
                return connection
        try:
            _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.plan.port)
        except OSError:
            reason = "refused"
            raise NoAnswerError(reason) from None
        return made


def prefer(nice: int) -> int:
    """Take a niceness where the system allows it; the one that this process has then."""
    if not hasattr(os, "setpriority"):
        return 0
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    return os.getpriority(os.PRIO_PROCESS, 0)


def make(plan: Plan) -> Document:
    """Make a load in this process; its figures, and what making it cost."""
    gc.collect()
    gc.disable()  # nothing here makes cycles that matter within a load
    begun, cpu = time.perf_counter(), time.process_time()
    try:
        samples = asyncio.run(Load(plan).run())
    finally:
        gc.enable()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
    return {
        "rate": plan.rate,
        "clients": None if plan.rate else plan.clients,
        "seconds": plan.seconds,
        "warmup_s": plan.warmup_s,
        **summarise(samples, plan.span),
        "timeline": timeline(samples, plan.span, max(plan.seconds / 20, 1.0)),
        "generator": {
            "wall_s": round(wall, 3),
            "cpu_s": round(cpu, 3),
            "cpu_share": round(cpu / wall / cores(), 4),
            "cpu_ms_per_request": round(1000 * cpu / max(len(samples), 1), 3),
        },
    }


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

"""Making a load: when requests are due, by which connections they go, what became of them."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.common import cores
from benchmarks.http_raw import Connection, Head, NoAnswerError
from benchmarks.samples import OK, Sample, Span, mixed, summarise, timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.common import Document

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

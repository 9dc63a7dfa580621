"""What became of requests, one row each, and the figures that follow: pure functions.

Latency counts from the moment when a request was due, not from when it was sent: a server that stalls, or a generator
that waits for a free connection, cannot hide the requests which would have come meanwhile (coordinated omission).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.common import Document

OK = 200
FULL = 503
"""The only status from 500 on that a server which is full may answer with."""
ERRORS = 500
SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class Weighed(Protocol):
    """What is to come more or less often than others."""

    @property
    def weight(self) -> int:
        """How many of it for how many of the others."""


W = TypeVar("W", bound=Weighed)


def mixed(kinds: Sequence[W]) -> Iterator[W]:
    """Kinds for ever, by their weights, spread as evenly as they can be."""
    total = sum(kind.weight for kind in kinds)
    owed = [0] * len(kinds)
    while True:
        owed = [have + kind.weight for have, kind in zip(owed, kinds, strict=True)]
        first = max(range(len(kinds)), key=owed.__getitem__)
        owed[first] -= total
        yield kinds[first]


@dataclass(frozen=True, slots=True)
class Sample:
    """One request."""

    kind: str
    """Which of the requests that were told."""
    due_s: float
    """When it was to be sent, s from the start of the load."""
    sent_s: float
    done_s: float
    status: int = 0
    """0 where no answer came."""
    failure: str | None = None
    """Why none came: timeout, refused, closed."""
    retry_after: float | None = None
    """What the answer said, s."""

    @property
    def latency_s(self) -> float:
        """From the moment when it was due."""
        return self.done_s - self.due_s


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a load that counts, s from its start."""

    begin: float
    end: float

    def __contains__(self, moment: float) -> bool:
        """Whether a moment lies inside."""
        return self.begin <= moment < self.end

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of ordered values that so large a share of them does not exceed (nearest rank).

    Raises:
        ValueError: there is no value.
    """
    if not ordered:
        message = "nothing has no percentiles"
        raise ValueError(message)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def latencies(seconds: Iterable[float]) -> dict[str, float] | None:
    """Percentiles, mean and most in ms; None of nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    told = {name: percentile(ordered, share) for name, share in SHARES.items()}
    told |= {"mean": math.fsum(ordered) / len(ordered), "max": ordered[-1]}
    return {name: round(1000 * value, 2) for name, value in told.items()}


def rates(samples: Iterable[Sample], span: Span) -> dict[str, Any]:
    """Requests that were accepted and done within a span: of each kind, and a second."""
    done = Counter(s.kind for s in samples if s.status == OK and s.done_s in span)
    return {"accepted": dict(done), "accepted_per_s": round(done.total() / span.seconds, 3)}


def retries(samples: Iterable[Sample]) -> dict[str, Any]:
    """What those that were refused were told: when to come again."""
    told = [s.retry_after for s in samples if s.status == FULL]
    waits = [wait for wait in told if wait is not None]
    return {
        "refused": len(told),
        "without_retry_after": len(told) - len(waits),
        "retry_after_s": [min(waits), max(waits)] if waits else None,
    }


def summarise(samples: Sequence[Sample], span: Span) -> Document:
    """All figures of the requests that were due within a span."""
    counted = [s for s in samples if s.due_s in span]
    kinds = sorted({s.kind for s in counted})
    accepted = [s for s in counted if s.status == OK]
    status = Counter(s.status for s in counted if s.status)
    return {
        "requests": len(counted),
        "status": {str(code): status[code] for code in sorted(status)},
        "failures": dict(Counter(s.failure for s in counted if s.failure)),
        "server_errors": sum(n for code, n in status.items() if code >= ERRORS and code != FULL),
        **rates(samples, span),
        **retries(counted),
        "latency_ms": latencies(s.latency_s for s in accepted),
        "by_kind_ms": {k: latencies(s.latency_s for s in accepted if s.kind == k) for k in kinds},
        "refused_ms": latencies(s.latency_s for s in counted if s.status == FULL),
        "late_ms": latencies(s.sent_s - s.due_s for s in counted),
    }


def timeline(samples: Sequence[Sample], span: Span, step_s: float) -> list[Document]:
    """The same in short, for each step of a span."""
    steps = max(1, round(span.seconds / step_s))
    rows = []
    for number in range(steps):
        part = Span(span.begin + number * step_s, span.begin + (number + 1) * step_s)
        due = [s for s in samples if s.due_s in part]
        told = latencies(s.latency_s for s in due if s.status == OK)
        rows.append({
            "at_s": round(part.begin, 1),
            "requests": len(due),
            "accepted_per_s": rates(samples, part)["accepted_per_s"],
            "refused": sum(s.status == FULL for s in due),
            "p50_ms": told["p50"] if told else None,
            "p99_ms": told["p99"] if told else None,
        })  # fmt: skip
    return rows

"""Figures of the overload: what was kept of the engine's throughput, and whether what was wanted is so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmarks.engine_alone import MIX

if TYPE_CHECKING:
    from benchmarks.common import Document

THROUGHPUT, GROWTH, SLOWER = 0.90, 0.05, 3.0
"""What is wanted: of the engine alone; of memory; p99 beside a job over p50 when idle."""


def kept_share(accepted: dict[str, int], seconds: float, engine: dict[str, Document]) -> float | None:
    """Throughput of what was accepted over that of the engine alone.

    A scene counts by the engine's time for it, as a full server may take more of one kind than of another.

    Args:
        accepted: requests of each kind that were done.
        seconds: in how many seconds.
        engine: the best rows of benchmarks.engine_alone.
    """

    def engine_s(done: dict[str, int]) -> float:
        return sum(number / float(engine[name]["scenes_per_s"]) for name, number in done.items())

    if seconds <= 0 or any(name not in engine for name in accepted):
        return None
    alone = engine.get(MIX) or next(iter(engine.values()))
    return round(engine_s(accepted) / seconds / (engine_s(alone["done"]) / float(alone["wall_s"])), 4)


def fastest(*runs: dict[str, Document]) -> dict[str, Document]:
    """Of each kind the fastest row of several runs: that is what the machine can do."""
    return {name: max((run[name] for run in runs), key=lambda row: row["scenes_per_s"]) for name in runs[0]}


def headlines(document: Document) -> Document:
    """The few figures that goals are about."""
    flood, job = document.get("overload") or {}, document.get("job") or {}
    small, quiet = job.get("small_ms"), job.get("idle_ms")
    return {
        "overload_rss_growth": flood.get("rss_growth"),
        "overload_p99_ms": (flood.get("latency_ms") or {}).get("p99"),
        "small_p99_over_idle_p50": round(small["p99"] / quiet["p50"], 3) if small and quiet else None,
        "job_slower": job.get("job_slower"),
    }


def goals(document: Document) -> dict[str, Any]:
    """What was wanted, and whether it is so; None where it was not measured."""
    flood = document.get("overload")
    share = document.get("accepted_over_engine")
    growth = flood and flood["rss_growth"]
    beside = headlines(document)["small_p99_over_idle_p50"]
    return {
        "no_5xx_but_503": flood and not flood["server_errors"] and not flood["failures"],
        "each_503_says_when": flood and not flood["without_retry_after"],
        "throughput": None if share is None else share >= THROUGHPUT,
        "rss_flat": None if growth is None else abs(growth) <= GROWTH,
        "small_beside_job": None if beside is None else beside <= SLOWER,
    }


def rows_of(document: Document) -> list[Document]:
    """The table for people."""
    told = {name: document[name] for name in ("idle", "capacity", "overload") if name in document}
    return [
        {
            "part": name,
            "accepted_per_s": part["accepted_per_s"],
            "status": json.dumps(part["status"]),
            "p50_ms": (part["latency_ms"] or {}).get("p50"),
            "p99_ms": (part["latency_ms"] or {}).get("p99"),
            "rss_mb": part["server"]["rss_mb"],
            "generator": part["generator"]["cpu_share"],
            "foreign": part["foreign"],
        }
        for name, part in told.items()
    ]

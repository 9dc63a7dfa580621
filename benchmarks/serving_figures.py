"""Figures of the servers that are compared: medians over rounds, ratios, how far their boxes agree."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks.agreement import agreement
from benchmarks.serving_sides import FAST, LOOK, OURS, PEERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.common import Document


def row_of(name: str, what: str, told: Document) -> Document:
    """A phase of a side in short."""
    latency = told["latency_ms"] or {}
    return {
        "side": name,
        "what": what,
        "offered_per_s": told["rate"] and round(told["rate"], 2),
        "per_s": told["accepted_per_s"],
        "p50_ms": latency.get("p50"),
        "p99_ms": latency.get("p99"),
        "requests": told["requests"],
        "not_200": told["requests"] - told["status"].get("200", 0),
        "status": told["status"],
        "failures": told["failures"],
        "rss_mb": told["server"]["peak_rss_mb"],
        "generator": told["generator"]["cpu_share"],
        "foreign": told["foreign"],
        "disturbed": told["disturbed"],
    }


def middle(rows: Iterable[Document], key: str) -> float | None:
    """Median of a figure over rounds; None where it is nowhere."""
    values = [row[key] for row in rows if row[key] is not None]
    return round(statistics.median(values), 3) if values else None


def summaries(rows: Sequence[Document]) -> list[Document]:
    """A row for each side and phase: medians over the rounds."""
    out = []
    for side, what in dict.fromkeys((row["side"], row["what"]) for row in rows):
        mine = [row for row in rows if (row["side"], row["what"]) == (side, what)]
        shares = [row["foreign"] for row in mine if row["foreign"] is not None]
        out.append({
            "side": side,
            "what": what,
            **{key: middle(mine, key) for key in ("offered_per_s", "per_s", "p50_ms", "p99_ms")},
            "requests": sum(row["requests"] for row in mine),
            "not_200": sum(row["not_200"] for row in mine),
            "rss_mb": max(row["rss_mb"] for row in mine),
            "foreign": max(shares, default=None),
            "disturbed": sum(row["disturbed"] for row in mine),
        })  # fmt: skip
    return out


def ratios(rows: Sequence[Document], side: str = OURS) -> Document:
    """Ours beside each peer, above 1 where ours is better: requests a second, their latencies over ours."""
    by = {(row["side"], row["what"]): row for row in rows}
    out: Document = {}
    for peer in PEERS:
        for what in dict.fromkeys(row["what"] for row in rows):
            mine, theirs = by.get((side, what)), by.get((peer, what))
            if mine and theirs:
                out.setdefault(peer, {})[what] = {
                    "per_s": _over(mine["per_s"], theirs["per_s"]),
                    "p50": _over(theirs["p50_ms"], mine["p50_ms"]),
                    "p99": _over(theirs["p99_ms"], mine["p99_ms"]),
                }
    return out


def _over(a: float | None, b: float | None) -> float | None:
    return round(a / b, 2) if a is not None and b else None


def agreements(about: dict[str, list[Document]]) -> Document:
    """How the boxes of each side agree with ours, which leaves out the second look as the peers do."""
    if OURS not in about:
        return {}
    mine = about[OURS][0]["boxes"]
    return {name: agreement(mine, told[0]["boxes"]) for name, told in about.items() if name != OURS}


def about_sides(about: dict[str, list[Document]]) -> Document:
    """Medians of what is not of one phase."""
    keys = ("load_s", "capacity_per_s", "pss_mb")
    return {name: {key: middle(told, key) for key in keys} for name, told in about.items()}


def capacities(sides: Document) -> Document:
    """Requests a second that ours does over those of each peer, each at its best number of clients that wait."""
    known = {name: told["capacity_per_s"] for name, told in sides.items()}
    out = {}
    for peer in PEERS:
        out[f"{peer}_ratio"] = _over(known.get(OURS), known.get(peer))
        out[f"{peer}_ratio_second_look"] = _over(known.get(LOOK), known.get(peer))
        out[f"{peer}_ratio_int8"] = _over(known.get(FAST), known.get(peer))
    return out

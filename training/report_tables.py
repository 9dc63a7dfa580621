"""Tables of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.detections import Kind
from training.cards import TABLE, cell
from training.markup import Markup, section, table, tag

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADLINE = (
    ("f1", "F1 of finding vessels"),
    ("precision", "of the boxes are vessels"),
    ("recall", "of the vessels are found"),
    ("ap50", "AP of vessels"),
    ("tanker_ap50", "AP of tankers"),
    ("tanker_precision", "of what is called a tanker is one"),
    ("tanker_recall", "of the tankers are called so"),
    ("count_mae", "mean error of a count"),
    ("count_exact", "of the counts are exact"),
    ("vessel_ece", "calibration error, vessel"),
    ("kind_ece", "calibration error, kind"),
)
"""Key of a figure, and what it is."""


def headline(row: dict[str, Any]) -> Markup:
    """The figures that matter most."""
    boxes = [
        tag("div", None, tag("b", None, cell(row[key])), tag("span", None, words))
        for key, words in HEADLINE
        if row.get(key) is not None
    ]
    held = row.get("interval", {}).get("vessel", {}).get("busy", {}).get("coverage")
    if held is not None:
        words = "of the intervals hold the number of vessels (busy scenes)"
        boxes.append(tag("div", None, tag("b", None, cell(held)), tag("span", None, words)))
    return section("In short", tag("div", {"class": "headline"}, *boxes))


def by_set(figures: Mapping[str, dict[str, Any]]) -> Markup:
    """The table of the sets."""
    names = (*TABLE, "count_exact", "tanker_ap50", "tankers", "vessel_ece", "kind_ece")
    rows = [[name, *(cell(row.get(key)) for key in names)] for name, row in figures.items()]
    return section("By set", table(["set", *(n.replace("_", " ") for n in names)], rows))


def intervals(row: dict[str, Any]) -> Markup:
    """How good the intervals of the counts are."""
    names = ("scenes", "coverage", "truth_below", "truth_above", "mean_width", "half_width_needed")
    rows = [
        [f"{of}s, {which} scenes", *(cell(told[key]) for key in names)]
        for of, groups in row["interval"].items()
        for which, told in groups.items()
    ]
    note = (
        "The 90 % intervals that documents give, against the labels. Busy scenes hold a vessel or a candidate. The "
        "half width that is needed is the least h for which count ± h holds the truth in 90 % of the scenes."
    )
    return section("Intervals of the counts", tag("p", None, note), table(["", *map(_words, names)], rows))


def kinds(row: dict[str, Any]) -> Markup:
    """Kinds by length, and the confusion."""
    by_length = [
        [f"{kind}, {name} px", *(cell(r[key]) for key in ("vessels", "precision", "recall", "f1"))]
        for name, by_kind in row["kinds_by_length"].items()
        for kind, r in by_kind.items()
        if r["vessels"] or r["precision"] is not None
    ]
    confusion = [[f"is {truth}", *map(cell, said.values())] for truth, said in row["confusion"].items()]
    said = [f"called {k.label}" for k in Kind]
    return section(
        "Kinds",
        table(["", "vessels", "precision", "recall", "F1"], by_length),
        table(["", *said, "missed"], confusion),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def robustness(given: dict[str, Any] | None) -> Markup:
    """The tables of training.robustness."""
    if not given:
        return Markup("")
    parts: list[Markup] = []
    for check in given["checks"].values():
        rows: list[dict[str, Any]] = check["rows"]
        names = list(dict.fromkeys(key for row in rows for key in row))
        parts.append(tag("h3", None, check["title"]))
        parts.append(tag("p", None, check["note"]))
        parts.append(table([_words(n) for n in names], [[cell(row.get(n)) for n in names] for row in rows]))
    return section("Robustness", tag("p", None, f"Of {given['model']}, by training.robustness."), *parts)

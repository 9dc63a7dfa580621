"""The page of an evaluation: one HTML file that needs nothing else, for people who want to see the errors.

Its pictures are of licensed imagery: it is made to be looked at, not to be passed on.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.detections import Kind
from edge.errors import InputError
from training.markup import Markup, join, raw, section, tag
from training.metrics import count_kind, curve, found_tankers, found_vessels
from training.plots import bar_plot, curve_plot, reliability_plot
from training.reliability import equal_count, equal_width, kind_outcomes, vessel_outcomes
from training.report_crops import confusions, gallery, inventions, misses
from training.report_scenes import MARKS, MOST_SCENES, Mark, Shown, sample, scene_figure, worst_first
from training.report_style import STYLE
from training.report_tables import by_set, headline, intervals, kinds, robustness

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.matching import Judged

MOST_CHARACTERS = 12_000_000
"""Of all scenes together: beyond this they are named, not shown."""
ALL = "all fully labelled"
PR_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a page is made of."""

    model: str
    threshold: float
    figures: dict[str, dict[str, Any]]
    """By set, as `training.evaluate.tables` has them."""
    shown: Sequence[Shown]
    partly: Sequence[str]
    """Sets whose labels are incomplete: in the table, and nowhere else."""
    robustness: dict[str, Any] | None = None
    """What `training.robustness` wrote."""


def read_robustness(path: Path) -> dict[str, Any]:
    """The file that training.robustness wrote.

    Raises:
        InputError: it is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        checks = content["checks"]
    except (OSError, ValueError, KeyError, TypeError):
        cause = "is not a file that training.robustness wrote"
        raise InputError(path, cause, "make it with `python -m training.robustness`") from None
    return {"model": str(content.get("model", "")), "checks": dict(checks)}


def build_page(report: Report) -> str:
    """The whole page."""
    whole = [s for s in report.shown if s.judged.truth.source not in report.partly]
    judged = [s.judged for s in whole]
    scenes = worst_first(whole, report.threshold)
    title = f"{report.model}: evaluation"
    head = tag(
        "head",
        None,
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("title", None, title),
        raw("style", STYLE),
    )
    main = tag(
        "main",
        None,
        _head(report, title),
        headline(report.figures[ALL]),
        by_set(report.figures),
        _plots(judged, report.figures[ALL]),
        intervals(report.figures[ALL]),
        kinds(report.figures[ALL]),
        robustness(report.robustness),
        _scenes(scenes, report.threshold),
        _galleries(scenes),
    )
    return "<!doctype html>\n" + tag("html", {"lang": "en"}, head, tag("body", None, main)) + "\n"


def _head(report: Report, title: str) -> Markup:
    """Title, warning, and what the figures rest on."""
    warning = (
        "The pictures below are of licensed imagery. This page is for those who hold the imagery: do not pass it on, "
        "do not publish it."
    )
    partly = f" Labelled in part, so in the table only: {', '.join(report.partly)}." if report.partly else ""
    rests = (
        f"{len(report.shown)} held-out pictures, vessels from score {report.threshold:g} on. "
        f"AP, F1 and kinds at rotated IoU 0.5; counts, calibration and the scenes below at 0.3.{partly}"
    )
    return tag(
        "header",
        None,
        tag("h1", None, title),
        tag("p", {"class": "warning", "role": "note"}, warning),
        tag("p", None, rests),
    )


def _plots(judged: Sequence[Judged], row: dict[str, Any]) -> Markup:
    """Reliability, precision and recall, recall by length; `row` has the figures of the same pictures."""
    vessel, kind = vessel_outcomes(judged), kind_outcomes(judged)
    wanted, tankers = sum(p.iou.shape[1] for p in judged), count_kind(judged, Kind.TANKER)
    found, called = curve(found_vessels(judged, PR_IOU), wanted), curve(found_tankers(judged, PR_IOU), tankers)
    lengths = [(name, r["recall"], r["vessels"]) for name, r in row["by_length"].items()]
    plots = {
        f"Is a vessel there? {len(vessel.score)} candidates": partial(
            reliability_plot, by_count=equal_count(vessel), by_width=equal_width(vessel)
        ),
        f"Is it a tanker? {len(kind.score)} vessels": partial(
            reliability_plot, by_count=equal_count(kind), by_width=equal_width(kind)
        ),
        f"Vessels, {wanted}": partial(curve_plot, line=found, ring=(row["recall"], row["precision"])),
        f"Tankers, {tankers}": partial(curve_plot, line=called, ring=(row["tanker_recall"], row["tanker_precision"])),
        "Recall by length, px of the picture": partial(bar_plot, rows=lengths),
    }
    made = [tag("figure", None, tag("figcaption", None, title), plot(title)) for title, plot in plots.items()]
    note = (
        "Reliability: on the line, what is said is true. Dots are ten groups of as many candidates each, with 90 % "
        "intervals; squares are ten groups of equal width. Candidates below the model's floor do not appear. Precision "
        "and recall: tankers are ranked by score x kind score; the ring is what the model says at its thresholds."
    )
    return section("Scores", tag("p", None, note), tag("div", {"class": "plots"}, *made))


def _scenes(scenes: Sequence[tuple[Shown, list[Mark]]], threshold: float) -> Markup:
    """The worst scenes, as long as the page does not grow too large."""
    legend = tag("ul", {"class": "legend"}, *(tag("li", None, sample(style), words) for style, words in MARKS.items()))
    figures: list[Markup] = []
    left_out: list[str] = []
    size = 0
    for shown, found in scenes[:MOST_SCENES]:
        figure = scene_figure(shown, found, threshold)
        if size + len(figure) > MOST_CHARACTERS:
            left_out.append(shown.name)
            continue
        size += len(figure)
        figures.append(figure)
    more = f"Not shown, to keep the page small: {', '.join(left_out)}." if left_out else ""
    note = (
        f"{len(figures)} of the {len(scenes)} scenes with a vessel or a box in them, most missed and invented first. "
        "The words for a box appear where the pointer rests on it."
    )
    return section("Scenes, worst first", tag("p", None, note), legend, join(figures), tag("p", None, more))


def _galleries(scenes: list[tuple[Shown, list[Mark]]]) -> Markup:
    """Single vessels."""
    return join(
        [
            section("Longest missed vessels", gallery(misses(scenes))),
            section("Surest inventions", gallery(inventions(scenes))),
            section("Surest confusions of kind", gallery(confusions(scenes))),
        ]
    )

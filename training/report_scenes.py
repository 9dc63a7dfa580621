"""Scenes of the report: what is right and wrong in each, drawn over its picture."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.detections import Kind
from training.markup import Markup, join, tag
from training.matching import COUNT_IOU, match
from training.scans import read_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.geometry import Floats
    from training.matching import Judged

MOST_SCENES = 40
LONGEST_PX = 900
"""Longest side of a picture in the page."""
LEAST_PX = 420
"""Smaller pictures are shown enlarged by a whole factor."""
QUALITY = 78
"""Of the JPEGs."""
MARKS = {
    "hit": "found: green, solid",
    "miss": "missed: orange, long dashes",
    "invention": "invented: magenta, dots",
    "wrong-kind": "found, but of the other kind: yellow, dash and dot",
    "ignored": "neither right nor wrong (ignored area, or a vessel that the labels leave open): grey, thin",
}
"""Styles of the boxes, in words; the style sheet has them too."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture that may be shown."""

    path: Path
    judged: Judged

    @property
    def name(self) -> str:
        """The set and the file."""
        return f"{self.judged.truth.source} / {self.judged.truth.name}"


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """One outline over a picture."""

    style: str
    """A key of MARKS."""
    corners: Floats
    """Shape (k, 2), px of the picture."""
    words: str
    """Shown where the pointer rests on it."""
    row: int = -1
    """Number of the prediction, or for a miss of the counted truth."""


def label(kind: int) -> str:
    """Name of a kind."""
    return Kind(int(kind)).label


def _prediction(judged: Judged, i: int, answer: int | None) -> Mark:
    """One counted box."""
    said = judged.predicted
    words = f"score {said.score[i]:.2f}, called {label(said.kinds[i])}"
    if answer is None:
        return Mark("ignored", said.corners[i], f"{words}; the labels say nothing", i)
    if answer < 0:
        return Mark("invention", said.corners[i], f"invented: {words}", i)
    truth = int(judged.kinds[answer])
    wrong = Kind.UNKNOWN not in (truth, int(said.kinds[i])) and truth != said.kinds[i]
    return Mark("wrong-kind" if wrong else "hit", said.corners[i], f"{words}; it is {label(truth)}", i)


def marks(judged: Judged, threshold: float) -> list[Mark]:
    """All outlines of a picture, those that matter most last: they are drawn on top."""
    answers = match(judged, COUNT_IOU, threshold)
    told = [_prediction(judged, i, answer) for i, answer in enumerate(answers)]
    truth = judged.truth
    counted = truth.corners[truth.counted]
    missed = [j for j in range(len(counted)) if j not in answers]
    order = {style: rank for rank, style in enumerate(("ignored", "hit", "wrong-kind", "miss", "invention"))}
    all_ = [
        *(Mark("ignored", polygon, "ignored area") for polygon in truth.ignored),
        *(Mark("ignored", quad, "left open by the labels") for quad in truth.corners[~truth.counted]),
        *told,
        *(Mark("miss", counted[j], f"missed: {label(judged.kinds[j])}", j) for j in missed),
    ]
    return sorted(all_, key=lambda mark: order[mark.style])


def tally(found: Sequence[Mark]) -> dict[str, int]:
    """How many outlines there are of each style."""
    return {style: sum(m.style == style for m in found) for style in MARKS}


def worst_first(shown: Sequence[Shown], threshold: float) -> list[tuple[Shown, list[Mark]]]:
    """Pictures with anything in them, most missed and invented first, ties by name."""
    rows = [(picture, marks(picture.judged, threshold)) for picture in shown]
    rows = [(picture, found) for picture, found in rows if any(m.style != "ignored" for m in found)]

    def rank(row: tuple[Shown, list[Mark]]) -> tuple[int, str]:
        counts = tally(row[1])
        return -(counts["miss"] + counts["invention"]), row[0].name

    return sorted(rows, key=rank)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """RGB (h, w, 3) as a JPEG that lies in the page itself."""
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        msg = f"OpenCV cannot encode {pixels.shape} as JPEG"
        raise RuntimeError(msg)
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def counts_line(judged: Judged, threshold: float) -> str:
    """Counts said and true, with the intervals."""
    found = judged.predicted.score >= threshold
    tankers = int((judged.predicted.kinds[found] == Kind.TANKER).sum())
    said, kinds = judged.said, judged.kinds
    vessel = (said.vessel, said.vessel_interval) if said else (int(found.sum()), None)
    tanker = (said.tanker, said.tanker_interval) if said else (tankers, None)
    lines = []
    for name, (number, between), true in (
        ("vessels", vessel, len(kinds)),
        ("tankers", tanker, int((kinds == Kind.TANKER).sum())),
    ):
        interval = f" ({between[0]} to {between[1]})" if between else ""
        lines.append(f"{name} said {number}{interval}, true {true}")
    return "; ".join(lines)


def _outline(mark: Mark) -> Markup:
    """A polygon on a dark rim, so that it is seen on any ground."""
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mark.corners)
    rim = tag("polygon", {"points": points, "class": "rim"}, "") if mark.style != "ignored" else Markup("")
    return join([rim, tag("polygon", {"points": points, "class": mark.style}, tag("title", None, mark.words))])


def sample(style: str) -> Markup:
    """A piece of a line of that style, for the legend."""
    line = tag("line", {"x1": 2, "y1": 7, "x2": 42, "y2": 7, "class": style}, "")
    return tag("svg", {"viewBox": "0 0 44 14", "class": "sample", "aria-hidden": "true"}, line)


def scene_figure(shown: Shown, found: Sequence[Mark], threshold: float) -> Markup:
    """One picture with its outlines and counts."""
    truth, counts = shown.judged.truth, tally(found)
    longest = max(truth.width, truth.height)
    pixels, _ = read_whole(shown.path, truth.gsd_m, -(-longest // LONGEST_PX))
    wide = truth.width * max(1, min(4, -(-LEAST_PX // longest))) if longest < LEAST_PX else pixels.shape[1]
    errors = ", ".join(
        f"{counts[style]} {word}"
        for style, word in (("hit", "found"), ("wrong-kind", "of the wrong kind"), ("miss", "missed"),
                            ("invention", "invented"), ("ignored", "ignored"))
    )  # fmt: skip
    words = f"{counts_line(shown.judged, threshold)}. {errors}."
    picture = tag("img", {"src": data_uri(pixels), "alt": f"{shown.name}: {words}", "loading": "lazy"})
    box = {"viewBox": f"0 0 {truth.width} {truth.height}", "preserveAspectRatio": "none", "aria-hidden": "true"}
    over = tag("svg", box, *(_outline(mark) for mark in found))
    frame = tag("div", {"class": "scene", "style": f"max-width:{wide}px"}, picture, over)
    return tag("figure", None, frame, tag("figcaption", None, tag("strong", None, shown.name), tag("br"), words))

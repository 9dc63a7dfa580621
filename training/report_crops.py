"""Galleries of the report: single vessels, turned so that they lie along x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.detections import Kind
from edge.geometry import from_corners
from edge.kinds import aligned_chip
from training.markup import Markup, tag
from training.matching import long_sides
from training.report_scenes import Mark, Shown, data_uri, label
from training.scans import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.geometry import Floats

MOST_CROPS = 24
CHIP_PX = (240, 110)
LENGTH_SHARE = 0.6
"""Share of a crop's width that the vessel fills."""

Scenes = list[tuple[Shown, list[Mark]]]
"""Pictures with their outlines."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One vessel that is worth a look."""

    shown: Shown
    corners: Floats
    """Shape (4, 2), px of the picture."""
    words: str
    rank: float
    """The highest come first; ties go by the name of the picture."""


def _first(crops: list[Crop]) -> list[Crop]:
    return sorted(crops, key=lambda c: (-c.rank, c.shown.name))[:MOST_CROPS]


def misses(scenes: Scenes) -> list[Crop]:
    """Vessels that were not found, the longest first: those nobody would overlook."""
    crops = []
    for shown, mark in _marks(scenes, "miss"):
        length = float(long_sides(mark.corners)[0])
        column = shown.judged.iou[:, mark.row]
        close = int(column.argmax()) if len(column) else -1
        seen = close >= 0 and column[close] > 0
        below = (
            f"closest box: score {shown.judged.predicted.score[close]:.2f}, IoU {column[close]:.2f}"
            if seen
            else "no box on it"
        )
        crops.append(Crop(shown, mark.corners, f"{mark.words}, {length:.0f} px; {below}", length))
    return _first(crops)


def inventions(scenes: Scenes) -> list[Crop]:
    """Boxes where no vessel is, the surest first."""
    crops = []
    for shown, mark in _marks(scenes, "invention"):
        length = float(long_sides(mark.corners)[0])
        score = float(shown.judged.predicted.score[mark.row])
        crops.append(Crop(shown, mark.corners, f"{mark.words}, {length:.0f} px", score))
    return _first(crops)


def confusions(scenes: Scenes) -> list[Crop]:
    """Vessels that were called the other kind, the surest first."""
    crops = []
    for shown, mark in _marks(scenes, "wrong-kind"):
        said = shown.judged.predicted
        tanker = said.kinds[mark.row] == Kind.TANKER
        belief = float(said.kind_score[mark.row])
        called = label(int(said.kinds[mark.row]))
        words = f"called {called} (belief in a tanker {belief:.2f}), it is {'other' if tanker else 'tanker'}"
        crops.append(Crop(shown, mark.corners, words, belief if tanker else 1 - belief))
    return _first(crops)


def _marks(scenes: Scenes, style: str) -> Iterator[tuple[Shown, Mark]]:
    """All marks of a style, with the scene of each."""
    return ((shown, mark) for shown, found in scenes for mark in found if mark.style == style)


def gallery(crops: Sequence[Crop]) -> Markup:
    """The crops side by side; each picture is read once."""
    by_picture: dict[str, list[int]] = {}
    for i, crop in enumerate(crops):
        by_picture.setdefault(str(crop.shown.path), []).append(i)
    made: dict[int, Markup] = {}
    for rows in by_picture.values():
        shown = crops[rows[0]].shown
        pixels, _ = read_whole(shown.path, shown.judged.truth.gsd_m)
        for i in rows:
            chip = aligned_chip(pixels, from_corners(crops[i].corners[None])[0], CHIP_PX, LENGTH_SHARE)
            made[i] = _figure(crops[i], data_uri(chip))
    if not made:
        return tag("p", None, "None.")
    return tag("div", {"class": "gallery"}, *(made[i] for i in range(len(crops))))


def _figure(crop: Crop, uri: str) -> Markup:
    words = f"{crop.words}. {crop.shown.name}"
    picture = tag("img", {"src": uri, "alt": words, "width": CHIP_PX[0], "height": CHIP_PX[1], "loading": "lazy"})
    return tag("figure", None, picture, tag("figcaption", None, words))

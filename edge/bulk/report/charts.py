"""Counts over time as inline SVG: two panels over one axis of time. No colour of its own: the style sheet has those.

Across, places are shares of the width, and along it px, so that words keep their size on a phone. Points are not
joined: what happened between two scenes, nobody saw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.bulk.report.axes import count_ticks, stretch, time_ticks
from edge.bulk.report.markup import Markup, tag
from edge.bulk.wording import day, number_of
from edge.count import LEVEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bulk.report.axes import Stretch, Tick
    from edge.bulk.report.pooling import Point, Pooled
    from edge.bulk.report.survey import Counted

HEIGHT = 396
_LEFT, _WIDTH = 7.0, 91.0
"""Of the place for points, in % of the width: counts are told to the left of it."""
_FEW = 150
"""Points; more of them are drawn smaller."""


class Panel(NamedTuple):
    """Where a series is drawn."""

    series: str
    """Its name: that of a field of Point, and of a class of the style sheet."""
    title: str
    top: float
    """Px, where the largest tick is."""
    bottom: float
    """Px, where 0 is."""

    def y(self, value: float, most: float) -> float:
        """Height of a count, px from the top of the chart."""
        return round(self.bottom - (self.bottom - self.top) * value / most, 2)


PANELS = (Panel("tankers", "Tankers", 44, 184), Panel("vessels", "All vessels", 248, 348))


def chart(name: str, pooled: Pooled, key: str) -> Markup:
    """A chart with its text for those who do not see it.

    Args:
        name: of the terminal.
        pooled: at least one point.
        key: of its elements, unique in the page.
    """
    points = pooled.points
    shown = stretch(points[0].time, points[-1].time)
    ticks = time_ticks(shown)
    parts = [tag("title", {"id": f"{key}-title"}, f"Counts over time, {name}")]
    parts.append(tag("desc", {"id": f"{key}-desc"}, _told(pooled)))
    for panel in PANELS:
        parts += _frame(panel, points, shown, ticks)
        parts.append(_dots(panel, points, shown))
    parts += _times(shown, ticks)
    words = {"aria-labelledby": f"{key}-title", "aria-describedby": f"{key}-desc"}
    many = " many" if len(points) > _FEW else ""
    return tag("svg", {"class": f"chart{many}", "role": "img", "width": "100%", "height": HEIGHT, **words}, *parts)


def chart_key(pooled: Pooled) -> str:
    """What dots and lines stand for."""
    if pooled.unit is None:
        what, line = "one scene", f"is the {LEVEL:.0%} interval of its count".replace("%", " %")
        hollow = "a part of the scene was not seen"
    else:
        what = f"the mean of the scenes of one {pooled.unit}, for they are too many to be shown one by one"
        line = "goes from the least to the most that was counted in one of them, and is no interval"
        hollow = "a part of at least one of them was not seen"
    return (
        f"A dot is {what}; the line through it {line}. Hollow dots: {hollow}. Dots are not joined, and nothing is"
        " summed: scenes may overlap, and the same vessel may be in several."
    )


def _told(pooled: Pooled) -> str:
    """The chart in words."""
    points = pooled.points
    first, last = day(points[0].time), day(points[-1].time)
    words = f"{number_of(len(points), pooled.unit or 'scene')} from {first} to {last}."
    for panel in PANELS:
        values = [_of(point, panel).value for point in points]
        words += f" {panel.title}: from {_short(min(values))} to {_short(max(values))}."
    return words


def _frame(panel: Panel, points: Sequence[Point], shown: Stretch, ticks: Sequence[Tick]) -> list[Markup]:
    """Title, grid and counts."""
    counts = _counts(panel, points)
    parts = [tag("text", {"x": 0, "y": panel.top - 24, "class": "panel"}, panel.title)]
    for value in counts:
        y = panel.y(value, counts[-1])
        parts.append(tag("line", {"x1": "0", "x2": "100%", "y1": y, "y2": y, "class": "grid" if value else "base"}))
        parts.append(tag("text", {"x": 0, "y": y - 4}, f"{value:,}"))
    for tick in ticks:
        x = _x(shown.share(tick.time))
        parts.append(tag("line", {"x1": x, "x2": x, "y1": panel.bottom, "y2": panel.bottom + 5, "class": "base"}))
    return parts


def _dots(panel: Panel, points: Sequence[Point], shown: Stretch) -> Markup:
    """A dot and a whisker a point."""
    most = _counts(panel, points)[-1]
    parts = []
    for point in points:
        count = _of(point, panel)
        x = _x(shown.share(point.time))
        place = {"x1": x, "x2": x, "y1": panel.y(count.low, most), "y2": panel.y(count.high, most)}
        words = f"{point.name}: {_short(count.value)} [{_short(count.low)}, {_short(count.high)}]"
        dot = {"cx": x, "cy": panel.y(count.value, most), "r": 3.5} | ({} if point.whole else {"class": "part"})
        parts.append(tag("g", None, tag("title", None, words), tag("line", place), tag("circle", dot)))
    return tag("g", {"class": panel.series}, *parts)


def _times(shown: Stretch, ticks: Sequence[Tick]) -> list[Markup]:
    """What is told below the axis of time."""
    below = PANELS[-1].bottom
    parts = []
    for tick in ticks:
        x = _x(shown.share(tick.time))
        for words, dy in ((tick.upper, 20), (tick.lower, 36)):
            if words:
                parts.append(tag("text", {"x": x, "y": below + dy, "class": "time"}, words))
    return parts


def _counts(panel: Panel, points: Sequence[Point]) -> list[int]:
    """Ticks of a panel."""
    return count_ticks(max(_of(point, panel).high for point in points))


def _of(point: Point, panel: Panel) -> Counted:
    """The count that a panel shows."""
    return point.tankers if panel.series == "tankers" else point.vessels


def _x(share: float) -> str:
    """A share of the stretch of time as a share of the chart."""
    return f"{_LEFT + _WIDTH * share:.3f}%"


def _short(value: float) -> str:
    """A count, or a mean with one digit."""
    return f"{value:,.1f}".removesuffix(".0")

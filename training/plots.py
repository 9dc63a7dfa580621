"""Plots as inline SVG: reliability, curves, bars. No library, no colour of their own: the page's style sheet has those.

All are drawn in a frame of 0 to 1 on both axes, y upwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.geometry import Floats
    from training.metrics import Curve
    from training.reliability import Bins

WIDTH, HEIGHT = 340, 310
LEFT, TOP, SIDE = 46, 14, 250
"""Place and side of the frame, px of the plot."""
MOST_POINTS = 400
"""A line of more points than the screen has px is only larger."""
Z = 1.6449
"""Standard deviations to either side that hold 90 % of a normal."""


def _x(value: float) -> float:
    return LEFT + SIDE * value


def _y(value: float) -> float:
    return TOP + SIDE * (1 - value)


def _label(x: float, y: float, words: str, anchor: str = "middle", *, turned: bool = False) -> Markup:
    turn = {"transform": f"rotate(-90 {x:.0f} {y:.0f})"} if turned else {}
    return tag("text", {"x": x, "y": y, "text-anchor": anchor, **turn}, words)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> Markup:
    return tag("line", {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "class": style}, "")


def _frame(across: str, up: str) -> list[Markup]:
    """Grid, numbers and names of the axes."""
    parts = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_line(_x(value), _y(0), _x(value), _y(1), "grid"))
        parts.append(_line(_x(0), _y(value), _x(1), _y(value), "grid"))
        parts.append(_label(_x(value), _y(0) + 16, f"{value:g}"))
        parts.append(_label(_x(0) - 6, _y(value) + 4, f"{value:g}", "end"))
    parts.append(_label(_x(0.5), _y(0) + 34, across))
    parts.append(_label(12, _y(0.5), up, turned=True))
    return parts


def _svg(title: str, parts: Sequence[Markup], height: float = HEIGHT) -> Markup:
    """The plot with its text for those who do not see it."""
    box = f"0 0 {WIDTH} {height:g}"
    return tag("svg", {"viewBox": box, "class": "plot", "role": "img", "aria-label": title}, *parts)


def wilson(share: Floats, size: Floats) -> tuple[Floats, Floats]:
    """90 % intervals (n,), (n,) of shares (n,) of `size` (n,) draws (E. B. Wilson, JASA 22, 1927)."""
    size = np.asarray(size, np.float64)
    middle = (share + Z**2 / (2 * size)) / (1 + Z**2 / size)
    half = Z / (1 + Z**2 / size) * np.sqrt(share * (1 - share) / size + Z**2 / (4 * size**2))
    return middle - half, middle + half


def reliability_plot(title: str, by_count: Bins, by_width: Bins) -> Markup:
    """What is said against what is true: dots with 90 % bars for equal counts, hollow squares for equal widths."""
    parts = _frame("said", "true")
    parts.append(_line(_x(0), _y(0), _x(1), _y(1), "ideal"))
    low, high = wilson(by_count.true, by_count.size.astype(np.float64))
    for said, true, least, most, size in zip(by_count.said, by_count.true, low, high, by_count.size, strict=True):
        parts.append(_line(_x(said), _y(least), _x(said), _y(most), "bar"))
        words = f"{size} said {said:.2f}, true {true:.2f}"
        parts.append(tag("circle", {"cx": _x(said), "cy": _y(true), "r": 4, "class": "dot"}, tag("title", None, words)))
    for said, true, size in zip(by_width.said, by_width.true, by_width.size, strict=True):
        words = f"{size} said {said:.2f}, true {true:.2f}"
        place = {"x": _x(said) - 4, "y": _y(true) - 4, "width": 8, "height": 8, "class": "hollow"}
        parts.append(tag("rect", place, tag("title", None, words)))
    pairs = "; ".join(f"{s:.2f} is {t:.2f}" for s, t in zip(by_count.said, by_count.true, strict=True))
    return _svg(f"{title}: {pairs or 'nothing to show'}", parts)


def curve_plot(title: str, line: Curve, ring: tuple[float | None, float | None]) -> Markup:
    """Precision against recall; the ring is the (recall, precision) of what the model says at its threshold."""
    parts = _frame("recall", "precision")
    if len(line.score) and np.isfinite(line.recall).all():
        some = np.unique(np.linspace(0, len(line.score) - 1, MOST_POINTS).astype(int))
        points = " ".join(f"{_x(line.recall[i]):.1f},{_y(line.precision[i]):.1f}" for i in some)
        parts.append(tag("polyline", {"points": points, "class": "curve"}, ""))
    recall, precision = ring
    told = "nothing to show"
    if recall is not None and precision is not None:
        parts.append(tag("circle", {"cx": _x(recall), "cy": _y(precision), "r": 6, "class": "ring"}, ""))
        told = f"precision {precision:.2f} at recall {recall:.2f}"
    return _svg(f"{title}: {told}", parts)


def bar_plot(title: str, rows: Sequence[tuple[str, float | None, int]]) -> Markup:
    """Bars: name, share (0 to 1, None: not known), number of cases behind it."""
    step, parts = 24, []
    for i, (name, value, size) in enumerate(rows):
        y = TOP + step * i
        parts.append(_label(LEFT + 20, y + 14, name, "end"))
        parts.append(
            tag("rect", {"x": LEFT + 26, "y": y, "width": 200.0 * (value or 0), "height": 18, "class": "fill"}, "")
        )
        share = "-" if value is None else f"{value:.2f}"
        parts.append(_label(LEFT + 32 + 200 * (value or 0), y + 14, f"{share} of {size}", "start"))
    told = ", ".join(f"{name}: {'-' if value is None else f'{value:.2f}'}" for name, value, _ in rows)
    return _svg(f"{title}: {told or 'nothing to show'}", parts, TOP + step * len(rows) + 8)

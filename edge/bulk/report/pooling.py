"""Points of a chart: a scene each, or a day, week, month or year where scenes are too many to be told apart."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from edge.bulk.report.survey import Counted
from edge.bulk.wording import day, number_of, when

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.bulk.report.survey import Line


class Point(NamedTuple):
    """What is drawn at a time."""

    time: datetime
    name: str
    tankers: Counted
    vessels: Counted
    whole: bool
    """Whether all of the scene, or of each of the scenes, was seen."""


class Pooled(NamedTuple):
    """Points in the order of time."""

    points: list[Point]
    unit: str | None
    """What a point stands for; None for a scene."""


def pooled(lines: Sequence[Line], most: int) -> Pooled:
    """Points for scenes that have a time and come in its order; the finest of which there are at most so many."""
    points = [
        Point(line.time, f"{when(line.time)}, {line.name}", line.tankers, line.vessels, line.coverage >= 1)
        for line in lines
        if line.time is not None
    ]
    if len(points) <= most:
        return Pooled(points, None)
    return next((found for unit in _UNITS if len((found := _by(unit, points)).points) <= most), _by("year", points))


def _by(unit: str, points: list[Point]) -> Pooled:
    """A point a unit of time in which there are any."""
    groups = groupby(points, lambda point: _UNITS[unit](point.time))
    return Pooled([_pool(time, unit, list(group)) for time, group in groups], unit)


def _pool(time: datetime, unit: str, points: list[Point]) -> Point:
    """Means of scenes, and the least and the most that was counted in one of them."""
    name = f"{unit} from {day(time)}, {number_of(len(points), 'scene')}"
    tankers = _spread([point.tankers.value for point in points])
    vessels = _spread([point.vessels.value for point in points])
    return Point(time, name, tankers, vessels, all(point.whole for point in points))


def _spread(values: list[float]) -> Counted:
    return Counted(sum(values) / len(values), min(values), max(values))


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)


def _monday(time: datetime) -> datetime:
    start = _midnight(time)
    return start - min(timedelta(days=start.weekday()), start - datetime.min.replace(tzinfo=timezone.utc))


_UNITS: dict[str, Callable[[datetime], datetime]] = {
    "day": _midnight,
    "week": _monday,
    "month": lambda time: _midnight(time).replace(day=1),
    "year": lambda time: _midnight(time).replace(month=1, day=1),
}
"""Where a time's day, week, month and year begin."""

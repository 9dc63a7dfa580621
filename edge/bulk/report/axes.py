"""Ticks of axes: times at full hours, days, months or years, and whole counts. Words do not depend on the locale."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_TIMES = 6
"""Ticks that have room on a phone."""
_MOST_COUNTS = 4
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_MONTH, _YEAR = timedelta(days=30.4), timedelta(days=365.2)
_STEPS = (
    *((_HOUR, n) for n in (1, 3, 6, 12)), *((_DAY, n) for n in (1, 2, 4, 7, 14)),
    *((_MONTH, n) for n in (1, 2, 3, 4, 6)),
    *((_YEAR, n) for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)),
)  # fmt: skip
_LEAST = timedelta(hours=6)
"""Shorter stretches of time are shown in one of this length."""
_FIRST, _LAST = datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)


class Tick(NamedTuple):
    """A place on the axis of time."""

    time: datetime
    upper: str
    """Words below the axis."""
    lower: str
    """Words below those: day, or year, where it is another one than that of the tick before."""


class Stretch(NamedTuple):
    """What an axis of time shows."""

    begin: datetime
    end: datetime

    def share(self, time: datetime) -> float:
        """Where a time lies, 0 to 1."""
        return (time - self.begin) / (self.end - self.begin)


def stretch(first: datetime, last: datetime) -> Stretch:
    """What an axis shows for scenes between two times (UTC): these times, and a little more if they are close."""
    missing = max(_LEAST - (last - first), timedelta(0)) / 2
    return Stretch(first - min(missing, first - _FIRST), last + min(missing, _LAST - last))


def time_ticks(shown: Stretch) -> list[Tick]:
    """At most MOST_TIMES ticks, at times that people count by."""
    span = shown.end - shown.begin
    unit, step = next(((u, n) for u, n in _STEPS if span / (u * n) <= MOST_TIMES - 0.5), _STEPS[-1])
    ticks: list[Tick] = []
    before = ""
    for time in _times(shown, unit, step):
        upper, lower = _words(time, unit)
        ticks.append(Tick(time, upper, "" if lower == before else lower))
        before = lower
    return ticks


def count_ticks(most: float) -> list[int]:
    """Whole numbers from 0 up to one that is at least `most`, in steps of 1, 2 or 5 times a power of ten."""
    step, factors = 1, 0
    while step * _MOST_COUNTS < most:
        step = (1, 2, 5)[(factors := factors + 1) % 3] * 10 ** (factors // 3)
    return list(range(0, max(step, -int(-most // step) * step) + 1, step))


def _times(shown: Stretch, unit: timedelta, step: int) -> Iterator[datetime]:
    """The times of ticks that are shown."""
    begin, end = shown
    if unit == _YEAR:
        years = range(max(step, -(-begin.year // step) * step), end.year + 1, step)
        found = [datetime(year, 1, 1, tzinfo=timezone.utc) for year in years]
    elif unit == _MONTH:
        first, last = (each.year * 12 + each.month - 1 for each in shown)
        months = range(-(-first // step) * step, last + 1, step)
        found = [datetime(month // 12, month % 12 + 1, 1, tzinfo=timezone.utc) for month in months]
    else:
        # From a Monday at midnight on, so that weeks begin on Mondays.
        start = begin.replace(hour=0, minute=0, second=0, microsecond=0)
        start -= min(start - _FIRST, _DAY * (start.weekday() if step % 7 == 0 else (start.toordinal() - 1) % step))
        if unit == _HOUR:
            start = begin.replace(hour=0, minute=0, second=0, microsecond=0)
        number = int((end - start) / (unit * step))
        found = [start + unit * step * i for i in range(number + 1)]
    return (time for time in found if begin <= time <= end)


def _words(time: datetime, unit: timedelta) -> tuple[str, str]:
    """What is said below a tick, in two lines."""
    month = _MONTHS[time.month - 1]
    if unit == _YEAR:
        return str(time.year), ""
    if unit == _MONTH:
        return month, str(time.year)
    if unit == _DAY:
        return f"{time.day} {month}", str(time.year)
    return f"{time.hour:02}:00", f"{time.day} {month} {time.year}"

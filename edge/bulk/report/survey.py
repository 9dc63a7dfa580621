"""One pass through the rows of a run: all that the report says but for its pictures, in small tuples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from edge.bulk import wording
from edge.bulk.picked import NO_TERMINAL, Order, by_name, order_of
from edge.write.phrases import printable, shorten

if TYPE_CHECKING:
    from datetime import datetime

    from edge.bulk.row import Rows, SceneRow

MOST_TROUBLES = 1000
"""Failures that are told of one by one."""
_LONGEST_NAME, _LONGEST_PLACE, _LONGEST_CAUSE = 80, 160, 400
"""Columns; what strangers made longer is shortened, so that the report stays of bounded size."""
_MOST_VALUES = 64
"""Different values that are kept of a setting."""


class Counted(NamedTuple):
    """A count and its 90 % interval; of several scenes: their mean, least and most."""

    value: float
    low: float
    high: float


class Line(NamedTuple):
    """A scene that has been counted."""

    order: Order
    name: str
    tankers: Counted
    vessels: Counted
    coverage: float
    warnings: int

    @property
    def time(self) -> datetime | None:
        """UTC."""
        return self.order.time


class Trouble(NamedTuple):
    """A scene that has no count, or not all of one."""

    place: str
    terminal: str
    state: str
    cause: str
    mend: str


@dataclass(slots=True)
class Terminal:
    """The scenes of a terminal."""

    name: str
    lines: list[Line] = field(default_factory=list)
    """Those that were counted, in the order of time once all are there."""
    states: Counter[str] = field(default_factory=Counter)

    @property
    def scenes(self) -> int:
        """All of them."""
        return sum(self.states.values())

    @property
    def timed(self) -> list[Line]:
        """Those that have a time."""
        return [line for line in self.lines if line.time is not None]


@dataclass(slots=True)
class Survey:
    """What a run found."""

    terminals: dict[str | None, Terminal] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    """The first MOST_TROUBLES of them."""
    models: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """Scenes by name, version, hash, provider and precision of the model."""
    settings: dict[str, set[Any]] = field(default_factory=dict)
    """Values that scenes were counted with, by name; no more than _MOST_VALUES of each, and the extremes."""
    states: Counter[str] = field(default_factory=Counter)
    stretched: int = 0
    """Scenes of more than 8 bit."""
    synthetic: int = 0
    unseen: int = 0
    """Scenes whose coverage is below 1."""
    copies: int = 0
    """Scenes that have the same bytes as one before them."""

    def ordered(self) -> list[Terminal]:
        """The terminals, by name."""
        return [self.terminals[name] for name in by_name(self.terminals)]


def survey(rows: Rows) -> Survey:
    """Go through all rows once."""
    found = Survey()
    contents: set[str] = set()
    for row in rows():
        if row.terminal not in found.terminals:
            found.terminals[row.terminal] = Terminal(shown_terminal(row.terminal))
        terminal = found.terminals[row.terminal]
        terminal.states[row.state] += 1
        found.states[row.state] += 1
        if row.content is not None:
            found.copies += row.content in contents
            contents.add(row.content)
        if row.document is not None:
            terminal.lines.append(_line(row, row.document))
            _note(found, row.document)
        if row.state != "done" and len(found.troubles) < MOST_TROUBLES:
            found.troubles.append(_trouble(row))
    for terminal in found.terminals.values():
        terminal.lines.sort()
    return found


def shown_terminal(name: str | None) -> str:
    """A terminal's name, none too long."""
    return NO_TERMINAL if name is None else shorten(printable(name), _LONGEST_NAME)


def _line(row: SceneRow, document: dict[str, Any]) -> Line:
    counts, bounds = document["counts"], document["interval"]
    tankers, vessels = (Counted(counts[kind], *bounds[kind]) for kind in ("tanker", "vessel"))
    name = shorten(wording.shown_name(row), _LONGEST_NAME)
    return Line(order_of(row), name, tankers, vessels, document["coverage"], len(document["warnings"]))


def _trouble(row: SceneRow) -> Trouble:
    return Trouble(
        shorten(printable(str(row.place)), _LONGEST_PLACE),
        shown_terminal(row.terminal),
        row.state,
        shorten(wording.cause(row), _LONGEST_CAUSE),
        shorten(printable(row.failure.mend), _LONGEST_CAUSE) if row.failure else "start the same command again",
    )


def _note(found: Survey, document: dict[str, Any]) -> None:
    """How a scene was counted."""
    model = document["model"]
    found.models[tuple(str(model[key]) for key in ("name", "version", "sha256", "provider", "precision"))] += 1
    found.stretched += document["settings"]["stretch"] is not None
    found.synthetic += bool(document["synthetic"])
    found.unseen += document["coverage"] < 1
    told = {"gsd_m": document["gsd_m"], **document["settings"]}
    del told["stretch"]
    for key, value in told.items():
        values = found.settings.setdefault(key, set())
        values.add(value)
        if len(values) > _MOST_VALUES:
            _thin(values)


def _thin(values: set[Any]) -> None:
    """Leave the extremes, and that something was not known."""
    numbers = sorted(value for value in values if value is not None)
    values -= set(numbers[1:-1])

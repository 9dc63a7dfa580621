"""The tables of the report."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from edge.bulk.report.markup import Markup, join, paragraph, table, tag, text
from edge.bulk.wording import NO_TIME, day, number_of, when
from edge.write.phrases import percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.bulk.report.survey import Counted, Line, Terminal, Trouble

MOST_SCENES = 500
"""Rows of the table of a terminal."""
MOST_TERMINALS = 1000
_SCENE_HEAD = ("Time (UTC)", "Scene", "Tankers", "Vessels", "Coverage", "Warnings")
_OPEN_UP_TO = 20
"""Rows; a longer table is folded."""


def scene_table(name: str, lines: Sequence[Line], most: int) -> Markup:
    """The scenes of a terminal, folded where they are many, and cut where they are very many."""
    shown = lines[:most]
    rows = table(f"Scenes of {name}", _SCENE_HEAD, ([_time(line), *_scene(line)] for line in shown), named=1)
    words = (
        number_of(len(lines), "scene")
        if len(shown) == len(lines)
        else f"First {len(shown):,} of {number_of(len(lines), 'scene')}"
    )
    note = (
        "" if len(shown) == len(lines) else paragraph("All scenes are in scenes.csv and scenes.parquet.", kind="note")
    )
    unfolded = {"open": ""} if len(shown) <= _OPEN_UP_TO else None
    return tag("details", unfolded, tag("summary", None, words), rows, note)


def untimed_table(terminals: Iterable[Terminal], most: int) -> Markup:
    """Scenes without a time, of all terminals."""
    found = [(terminal.name, line) for terminal in terminals for line in terminal.lines if line.time is None]
    head = ("Terminal", *_SCENE_HEAD[1:])
    rows = table("Scenes without time", head, ([name, *_scene(line)] for name, line in found[:most]), named=1)
    return join([rows, _cut(len(found), most, "scenes.csv", "scene")])


def trouble_table(troubles: Sequence[Trouble], total: int) -> Markup:
    """Scenes that failed, wholly or in part."""
    head = ("Scene", "Terminal", "State", "Cause", "What to do")
    rows = ([t.place, t.terminal, {"partial": "in part"}.get(t.state, t.state), t.cause, t.mend] for t in troubles)
    return join([table("Failures", head, rows), _cut(total, len(troubles), "scenes.csv", "scene")])


def terminal_table(terminals: Sequence[Terminal], keys: Sequence[str | None]) -> Markup:
    """What there is of each terminal; `keys` are anchors of those that have a part of their own."""
    head = (
        "Terminal", "Scenes", "Counted whole", "In part", "Not counted", "First", "Last",
        "Tankers a scene: median", "most", "Vessels a scene: median", "most",
    )  # fmt: skip
    rows = (_terminal(terminal, key) for terminal, key in zip(terminals[:MOST_TERMINALS], keys, strict=False))
    return join([table("Terminals", head, rows), _cut(len(terminals), MOST_TERMINALS, "scenes.csv", "terminal")])


def counted(count: Counted) -> Markup:
    """A count and its interval."""
    return join([f"{count.value:,} ", tag("span", {"class": "bounds"}, f"[{count.low:,}, {count.high:,}]")])


def _terminal(terminal: Terminal, key: str | None) -> list[object]:
    timed = terminal.timed
    ends = [text(day(line.time)) for line in (timed[0], timed[-1]) if line.time] if timed else [text(NO_TIME)] * 2
    done, part = terminal.states["done"], terminal.states["partial"]
    name = tag("a", {"href": f"#{key}"}, terminal.name) if key else terminal.name
    return [
        name, _number(terminal.scenes), _number(done), _number(part), _number(terminal.scenes - done - part), *ends,
        *_spread([line.tankers.value for line in terminal.lines]),
        *_spread([line.vessels.value for line in terminal.lines]),
    ]  # fmt: skip


def _spread(values: list[float]) -> list[object]:
    """Median and most of counts; dashes where there are none."""
    if not values:
        return [_number("-"), _number("-")]
    return [_number(f"{median(values):,}".removesuffix(".0")), _number(max(values))]


def _scene(line: Line) -> list[object]:
    return [
        line.name, counted(line.tankers), counted(line.vessels), _number(percent(line.coverage)),
        _number(line.warnings or ""),
    ]  # fmt: skip


def _time(line: Line) -> Markup:
    return text(when(line.time))


def _number(value: object) -> Markup:
    """A cell that stands at the right."""
    return join([f"{value:,}" if isinstance(value, (int, float)) else value])


def _cut(total: int, shown: int, file: str, what: str) -> str:
    """A note where a table is not all of it."""
    return (
        ""
        if total <= shown
        else paragraph(f"The first {shown:,} of {number_of(total, what)}; all are in {file}.", kind="note")
    )

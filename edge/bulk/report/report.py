"""The report as a whole: what was run, counts over time a terminal, pictures, failures, and how to read it all."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from edge.bulk.report.charts import chart, chart_key
from edge.bulk.report.gallery import galleries
from edge.bulk.report.guide import guide
from edge.bulk.report.markup import Markup, join, paragraph, style, tag
from edge.bulk.report.pooling import pooled
from edge.bulk.report.ran import figures, span, what_ran
from edge.bulk.report.style import STYLE
from edge.bulk.report.survey import survey
from edge.bulk.report.tables import scene_table, terminal_table, trouble_table, untimed_table
from edge.bulk.wording import number_of
from edge.write.atomic import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from edge.bulk.pictures import Opened
    from edge.bulk.report.facts import Facts
    from edge.bulk.report.survey import Survey, Terminal
    from edge.bulk.row import Rows

MOST_PARTS = 200
"""Terminals that have a part of their own; with more of them, the others are in the table of all."""
POINTS, POINTS_OF_ALL = 1000, 16_000
"""Of a chart, and of all charts: the file stays of bounded size, and a screen has no more px."""
ROWS, ROWS_OF_ALL = 500, 12_000
"""Of the table of a terminal, and of all such tables."""
UNTIMED = 500


def write_report(rows: Rows, path: Path, opened: Opened, facts: Facts) -> Path:
    """Write the report, and tell where: one file without scripts, which asks for nothing from anywhere.

    Args:
        rows: of the run.
        path: of the report; what is there is replaced.
        opened: opens a scene once more; where it fails, a card takes the place of the picture.
        facts: what the rows do not say.

    Raises:
        OutputError: it cannot be written.
    """
    found = survey(rows)
    terminals = found.ordered()
    parts = terminals[:MOST_PARTS]
    pictures = galleries(parts, rows, opened)
    body = [
        _summary(found, terminals, facts),
        *(_terminal(terminal, i, len(parts), pictures[i]) for i, terminal in enumerate(parts)),
        _untimed(terminals),
        _troubles(found),
        _section("reading", "How to read the numbers", guide()),
        _section("run", "What was run", what_ran(found, facts)),
    ]
    write_text(path, _page(_title(facts), join(body)))
    return path


def _title(facts: Facts) -> str:
    return f"Tankers and other vessels: {facts.folder}"


def _anchor(number: int) -> str:
    """Of the part of a terminal, by its place."""
    return f"terminal-{number + 1}"


def _section(key: str, title: str, *parts: object) -> Markup:
    return tag("section", {"id": key}, tag("h2", None, title), *parts)


def _summary(found: Survey, terminals: list[Terminal], facts: Facts) -> Markup:
    """Title, totals, and all terminals."""
    links = [("reading", "How to read the numbers"), ("run", "What was run")]
    missing = sum(found.states.values()) - found.states["done"]
    if missing:
        links.insert(
            0,
            ("failures", number_of(missing, "scene that was not counted whole", "scenes that were not counted whole")),
        )
    nav = [part for key, words in links for part in (" · ", tag("a", {"href": f"#{key}"}, words))][1:]
    alarm = paragraph(
        f"{number_of(found.synthetic, 'scene')} synthetic: rendered, and of no real place.", kind="warning"
    )
    keys = [_anchor(i) if i < MOST_PARTS else None for i in range(len(terminals))]
    table = _section("terminals", "Terminals", terminal_table(terminals, keys))
    return join([
        tag("h1", None, _title(facts)),
        paragraph(span(terminals), kind="lead"),
        figures(found, terminals),
        alarm if found.synthetic else "",
        paragraph(*nav, kind="note"),
        table if terminals else paragraph("There are no scenes."),
    ])  # fmt: skip


def _terminal(terminal: Terminal, number: int, parts: int, pictures: Markup) -> Markup:
    """Chart, pictures and scenes of a terminal."""
    key, timed = _anchor(number), terminal.timed
    inside: list[object] = []
    if timed:
        shown = pooled(timed, min(POINTS, POINTS_OF_ALL // parts))
        inside += [chart(terminal.name, shown, f"chart-{number + 1}"), paragraph(chart_key(shown), kind="key")]
    untimed = len(terminal.lines) - len(timed)
    if untimed:
        words = number_of(untimed, "scene without time is listed", "scenes without time are listed")
        inside.append(paragraph(f"{words} ", tag("a", {"href": "#untimed"}, "below"), ".", kind="note"))
    if pictures:
        inside += [tag("h3", None, "Pictures"), pictures]
    if timed:
        inside.append(scene_table(terminal.name, timed, min(ROWS, ROWS_OF_ALL // parts)))
    return _section(key, terminal.name, *(inside or [paragraph("No scene was counted.")]))


def _untimed(terminals: list[Terminal]) -> Markup:
    """Scenes that are in no chart."""
    if all(len(terminal.timed) == len(terminal.lines) for terminal in terminals):
        return Markup()
    return _section("untimed", "Scenes without time", untimed_table(terminals, UNTIMED))


def _troubles(found: Survey) -> Markup:
    """Scenes that failed, wholly or in part."""
    total = sum(found.states.values()) - found.states["done"]
    if not total:
        return Markup()
    return _section("failures", "Scenes that were not counted whole", trouble_table(found.troubles, total))


def _page(title: str, body: Markup) -> str:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    head = [
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("title", None, title),
        style(STYLE),
    ]
    whole = tag("html", {"lang": "en"}, tag("head", None, *head), tag("body", None, tag("main", None, body)))
    return f"<!doctype html>\n{whole}\n"

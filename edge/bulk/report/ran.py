"""What was run, and what came of it, in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import edge
from edge.bulk.report.markup import Markup, join, tag
from edge.bulk.wording import NO_TIME, days, number_of
from edge.write import phrases

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.bulk.report.facts import Facts
    from edge.bulk.report.survey import Survey, Terminal

_SETTINGS = {
    "threshold": "Threshold of the score",
    "gsd_m": "Ground sample distance, m/px",
    "working_gsd_m": "The same, as the model saw it",
    "scale": "Scale of what the model saw",
    "tile_px": "Side of tiles, px",
    "overlap_px": "Overlap of tiles, px",
    "min_length_m": "Shortest vessel, m",
    "exhaustive": "Every tile looked at in full",
    "found_at_scale": "First search at scale",
}
"""Words for the settings of documents; others keep their names."""


def figures(found: Survey, terminals: Sequence[Terminal]) -> Markup:
    """The run in a line of large numbers."""
    done, part = found.states["done"], found.states["partial"]
    scenes = sum(found.states.values())
    told = {
        "scenes": scenes,
        "terminals": len(terminals),
        "counted whole": done,
        "counted in part": part,
        "not counted": scenes - done - part,
    }
    parts = (tag("div", None, tag("dt", None, words), tag("dd", None, f"{value:,}")) for words, value in told.items())
    return tag("dl", {"class": "figures"}, *parts)


def span(terminals: Iterable[Terminal]) -> str:
    """First and last day of all scenes."""
    times = [line.time for terminal in terminals for line in (terminal.timed[:1] + terminal.timed[-1:]) if line.time]
    return f"{days(min(times), max(times))} (UTC)" if times else NO_TIME


def what_ran(found: Survey, facts: Facts) -> Markup:
    """Program, model and settings."""
    told: list[tuple[object, object]] = [("Program", f"tanker-edge {edge.__version__}")]
    for (name, version, digest, provider, precision), scenes in sorted(found.models.items()):
        times = "" if len(found.models) == 1 else f" ({number_of(scenes, 'scene')})"
        hashed = tag("code", None, digest)
        told.append(("Model", join([f"{name} {version}, {precision} by provider {provider}{times}, SHA-256 ", hashed])))
    keys = sorted(
        found.settings, key=lambda key: (list(_SETTINGS).index(key) if key in _SETTINGS else len(_SETTINGS), key)
    )
    told += [(_SETTINGS.get(key, key), _values(found.settings[key])) for key in keys]
    told += [(tag("code", None, option), value) for option, value in facts.settings.items()]
    notes = (
        (found.unseen, "not seen whole: coverage below 100 %"),
        (found.stretched, "of more than 8 bit, stretched to it"),
        (found.copies, "with the same bytes as an earlier one: the same result, told again"),
        (found.synthetic, "synthetic: rendered, and of no real place"),
    )
    told += [(number_of(scenes, "scene"), words) for scenes, words in notes if scenes]
    return tag("dl", {"class": "facts"}, *(_fact(name, value) for name, value in told))


def _fact(name: object, value: object) -> Markup:
    return tag("div", None, tag("dt", None, name), tag("dd", None, value))


def _values(values: set[Any]) -> str:
    """What scenes had of a setting: one value, or from where to where."""
    known = sorted(value for value in values if value is not None)
    words = (
        [] if not known else [_value(known[0])] if len(known) == 1 else [f"{_value(known[0])} to {_value(known[-1])}"]
    )
    if len(known) > 1:
        words[0] += ", by scene"
    if None in values:
        words.append("not known for some" if known else "not known")
    return "; ".join(words)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return phrases.UNKNOWN if value is None else f"{value:g}" if isinstance(value, float) else str(value)

"""How to read the numbers, in plain words."""

from __future__ import annotations

from edge.bulk.report.markup import Markup, tag
from edge.count import LEVEL

_WORDS = {
    "Count": (
        "How many vessels the model found in one scene, with a score above the threshold. A vessel is a tanker, another"
        " vessel, or one of unknown kind; “vessels” are all three together."
    ),
    "Interval": (
        f"3 [2, 5] says: 3 were counted, and with a chance of {LEVEL:.0%} the true number is between 2 and 5. It allows"
        " for near calls, for vessels that may have been missed, and for scenes that are harder than others. It is of"
        " one scene alone: intervals of several scenes may not be added up or averaged."
    ).replace(f"{LEVEL:.0%}", f"{LEVEL:.0%}".replace("%", " %")),
    "Unknown": (
        "A vessel of which the picture does not show enough to tell a tanker from others. It is among the vessels, and"
        " not among the tankers."
    ),
    "Coverage": (
        "The share of the asked-for area that was really looked at. Below 100 %, the count is of that part alone: such"
        " a scene has a hollow dot, and does not compare with a whole one."
    ),
    "Over time": (
        "Nothing is summed over scenes. Where scenes overlap, the same vessel is in each of them, and one that stays is"
        " in all scenes of its stay. Dots differ for other reasons too: what a scene shows of the terminal, its"
        " resolution, the weather. Visits and trends are not judged here."
    ),
    "Times": "When the picture was taken, in UTC. What came without a time zone is taken as UTC.",
    "Pictures": (
        "A few scenes, evenly chosen in the order of time, at reduced size. Outlines are vermilion for tankers,"
        " and thick where there is room, blue for other vessels, and pale yellow for those of unknown kind."
    ),
}


def guide() -> Markup:
    """What the words of the report mean."""
    return tag("dl", {"class": "guide"}, *(_entry(word, meaning) for word, meaning in _WORDS.items()))


def _entry(word: str, meaning: str) -> Markup:
    return tag("div", None, tag("dt", None, word), tag("dd", None, meaning))

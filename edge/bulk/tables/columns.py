"""The columns of the two tables, scenes and vessels: what each is called, what it holds and where that comes from.

Types do not depend on the data: a column of which nothing is known is there all the same, empty.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from edge.bulk.tables.geo import outline, wkb

if TYPE_CHECKING:
    from edge.bulk.row import SceneRow

Kind = Literal["text", "whole", "real", "truth", "time", "bytes"]
"""Of the cells of a column; any of them may be None."""
T = TypeVar("T")
Cell = Callable[[T], Any]
"""What a row says in a column, before `known`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """One column of a table whose rows are T."""

    name: str
    kind: Kind
    cell: Cell[T]

    def known(self, row: T) -> Any:  # noqa: ANN401 - as `kind` says
        """What a row says here in Python's own type, or None: for NaN and infinity too."""
        value = self.cell(row)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return None
        return _PYTHON[self.kind](value)


def readable(text: str) -> str:
    """The text with "?" for half a surrogate pair, from a name that is not UTF-8: no file of ours can hold one."""
    return text.encode("utf-8", "replace").decode("utf-8")


def clock(row: SceneRow) -> str | None:
    """When a scene was taken, UTC as ISO 8601 has it: 2024-03-01T10:30:00Z."""
    if row.acquired is None:
        return None
    return row.acquired.time.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def microseconds(time: datetime) -> int:
    """Since 1970, UTC."""
    return (time - _EPOCH) // _MICROSECOND


_PYTHON: dict[Kind, Callable[[Any], Any]] = {
    "text": lambda value: readable(str(value)),
    "whole": int,
    "real": float,
    "truth": bool,
    "time": microseconds,
    "bytes": bytes,
}


class Vessel(NamedTuple):
    """A row of the table of vessels."""

    scene: SceneRow
    row: dict[str, Any]
    """Of the scene's document, under "detections"."""


def _told(*keys: str | int) -> Cell[SceneRow]:
    """What a scene's document says under these keys, one in the other; None where it has none."""

    def cell(row: SceneRow) -> Any:  # noqa: ANN401 - anything of a document
        value: Any = row.document
        for key in keys:
            if value is None:
                return None
            value = value[key] if isinstance(key, int) else value.get(key)
        return value

    return cell


def _warnings(row: SceneRow) -> str | None:
    """All in one; None where there are none."""
    return "; ".join((row.document or {}).get("warnings", [])) or None


SCENES: tuple[Column[SceneRow], ...] = (
    Column("number", "whole", lambda r: r.number),
    Column("scene", "text", lambda r: r.name),
    Column("place", "text", lambda r: r.place),
    Column("terminal", "text", lambda r: r.terminal),
    Column("time", "time", lambda r: r.acquired and r.acquired.time),
    Column("time_source", "text", lambda r: r.acquired and r.acquired.source),
    Column("state", "text", lambda r: r.state),
    Column("width", "whole", _told("width")),
    Column("height", "whole", _told("height")),
    Column("gsd_m", "real", _told("gsd_m")),
    Column("crs", "text", _told("crs")),
    *(Column(kind, "whole", _told("counts", kind)) for kind in ("tanker", "other", "unknown", "vessel")),
    *(
        Column(f"{kind}_{end}", "whole", _told("interval", kind, i))
        for kind in ("tanker", "vessel")
        for i, end in enumerate(("low", "high"))
    ),
    Column("coverage", "real", _told("coverage")),
    *(Column(f"tiles_{part}", "whole", _told("tiles", part)) for part in ("planned", "scored", "skipped", "failed")),
    Column("model", "text", _told("model", "name")),
    *(Column(f"model_{part}", "text", _told("model", part)) for part in ("version", "sha256")),
    *(Column(part, "text", _told("model", part)) for part in ("provider", "precision")),
    Column("threshold", "real", _told("settings", "threshold")),
    Column("content", "text", lambda r: r.content),
    Column("warnings", "text", _warnings),
    Column("failure", "text", lambda r: r.failure and r.failure.cause),
    Column("synthetic", "truth", _told("synthetic")),
)


def _said(kind: Kind, *names: str) -> tuple[Column[Vessel], ...]:
    """Columns of what a vessel's row says under the same names."""
    return tuple(Column(name, kind, _value(name)) for name in names)


def _value(key: str) -> Cell[Vessel]:
    return lambda v: v.row.get(key)


def _part(key: str, i: int) -> Cell[Vessel]:
    """One of the numbers in a list of a vessel's row; None where there is no list."""
    return lambda v: None if v.row[key] is None else v.row[key][i]


def _corner(i: int, axis: int) -> Cell[Vessel]:
    return lambda v: v.row["corners"][i][axis]


PLACED: tuple[Column[Vessel], ...] = (
    Column("place", "text", lambda v: v.scene.place),
    Column("terminal", "text", lambda v: v.scene.terminal),
    Column("time", "time", lambda v: v.scene.acquired and v.scene.acquired.time),
)
"""Which scene a vessel is of, besides its number and name."""
CORNERS: tuple[Column[Vessel], ...] = tuple(
    Column(f"{axis}{i + 1}", "real", _corner(i, k)) for i in range(4) for k, axis in enumerate("xy")
)
"""Px of the scene, clockwise from the bow-left. Eight columns, not a list: every reader has numbers."""
VESSELS: tuple[Column[Vessel], ...] = (
    Column("scene_number", "whole", lambda v: v.scene.number),
    Column("scene", "text", lambda v: v.scene.name),
    *PLACED,
    *_said("whole", "id"),
    *_said("text", "kind"),
    *_said("real", "score", "kind_score", "length_m", "beam_m", "heading_deg"),
    *_said("real", "length_error_m", "beam_error_m", "heading_error_deg"),
    *_said("text", "size_class"),
    *(Column(f"deadweight_{end}_t", "whole", _part("deadweight_t", i)) for i, end in enumerate(("low", "high"))),
    *_said("truth", "near_threshold"),
    *CORNERS,
    *(Column(name, "real", _part("lonlat", i)) for i, name in enumerate(("lon", "lat"))),
    Column("geometry", "bytes", lambda v: wkb(outline(v.row))),
)

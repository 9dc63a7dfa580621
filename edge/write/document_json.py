"""The scene's document as strict JSON: one line for `--json`, a line a vessel in files."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.write.atomic import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from edge.scene import Scene

_KEYS = (
    "scene", "width", "height", "gsd_m", "crs", "counts", "interval", "coverage", "tiles", "detections", "model",
    "seconds", "warnings",
)  # fmt: skip
_VESSEL_KEYS = (
    "id", "kind", "score", "kind_score", "corners", "length_m", "beam_m", "heading_deg", "lonlat", "near_threshold",
)  # fmt: skip


def plain(value: Any) -> Any:  # noqa: ANN401 - anything that JSON can hold
    """The same value in the types of JSON: NaN and infinity become null, numpy's types Python's.

    Half a surrogate pair, from a file name that is not UTF-8, becomes "?": strict readers refuse it.
    """
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def summary(document: dict[str, Any]) -> dict[str, Any]:
    """What a document says of the scene as a whole: an empty list of vessels does not tell why it is empty."""
    return {key: plain(part) for key, part in document.items() if key != "detections"}


def line(document: dict[str, Any]) -> str:
    """One line of ASCII, without its end: safe on any terminal and in any pipe."""
    return json.dumps(_ordered(document), allow_nan=False, separators=(",", ":"))


def pretty(document: dict[str, Any]) -> str:
    """A line a key, and a line a vessel."""
    return "{\n" + ",\n".join(f"  {_json(key)}: {_value(part)}" for key, part in _ordered(document).items()) + "\n}\n"


def write(document: dict[str, Any], path: Path, *, scene: Scene | None = None) -> None:  # noqa: ARG001 - as all writers
    """Write the document to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(path, pretty(document))


def _ordered(document: dict[str, Any]) -> dict[str, Any]:
    """The document in plain types, the fixed keys first and in their order."""
    out: dict[str, Any] = _first(plain(document), _KEYS)
    if "detections" in out:
        out["detections"] = [_first(row, _VESSEL_KEYS) for row in out["detections"]]
    return out


def _first(record: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: record[key] for key in (*(k for k in keys if k in record), *(k for k in record if k not in keys))}


def _json(value: Any) -> str:  # noqa: ANN401 - anything that JSON can hold
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _value(value: Any) -> str:  # noqa: ANN401 - anything that JSON can hold
    """A list of vessels, or of warnings, in several lines; all else in one."""
    if isinstance(value, list) and value and isinstance(value[0], (dict, str)):
        return "[\n" + ",\n".join(f"    {_json(row)}" for row in value) + "\n  ]"
    return _json(value)
